"""What the services agree on: events, streams, catalogue, settings, logs."""
