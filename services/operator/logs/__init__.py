"""The log lines of a stack: reading, summary, following, checks."""
