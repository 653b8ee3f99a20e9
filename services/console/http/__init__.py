"""Pages, charts, login, and the filters in a page's address."""
