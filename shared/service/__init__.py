"""One running service: its readers of streams, its health, its HTTP server."""
