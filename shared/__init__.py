"""Code that several services share: messages, settings, logs, HTTP, the running service, parties."""
