"""A stack: its folder, its processes, its secrets, and calls to its services."""
