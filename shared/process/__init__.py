"""How a process starts: settings, logs, credentials."""
