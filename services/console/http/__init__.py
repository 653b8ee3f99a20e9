"""Pages, charts, login, and the address of a view."""
