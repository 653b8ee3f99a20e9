"""Compiled loops over arrays. The callers check the arguments."""
