"""The ledger's store: reading, writing and recording, on SQLite or PostgreSQL."""
