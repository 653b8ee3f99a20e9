"""The migrations of the ledger's store, for alembic to read: `services.ledger.migrating` runs them."""
