"""Tables of a page as a visitor chose them: which columns, in which order of the rows."""
