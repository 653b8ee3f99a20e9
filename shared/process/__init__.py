"""The start of a process: settings, logs, credentials."""
