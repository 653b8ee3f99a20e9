"""Calls to the other services, and the feed of changes to open pages."""
