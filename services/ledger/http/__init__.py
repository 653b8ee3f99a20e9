"""The ledger's HTTP routes and their response models."""
