"""Real servers for tests: Redis, PostgreSQL, containers, HTTP with certificates."""
