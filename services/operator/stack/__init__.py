"""A stack: its processes, its secrets, and calls to its services."""
