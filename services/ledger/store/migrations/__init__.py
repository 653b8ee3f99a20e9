"""The migrations of the ledger's store, for alembic to read: `services.ledger.store.migrating` runs them."""
