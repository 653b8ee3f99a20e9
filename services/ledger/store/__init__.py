"""The ledger's store: SQL, its two databases, checkpoints, and the recording of batches."""
