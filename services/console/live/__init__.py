"""Calls to the other services, and the feed of moves to open pages."""
