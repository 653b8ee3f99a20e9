"""Declared parties: their roles, and the megawatts of the sites at which they have one."""
