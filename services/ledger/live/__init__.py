"""The ledger's loops: recording, publishing, signing; and its metrics."""
