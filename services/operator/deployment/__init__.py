"""A deployment in containers: its secrets, and the files that are generated from its programme."""
