"""Postings that nobody has published, on top of a state that stays as it is."""
