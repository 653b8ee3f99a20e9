"""The aggregator reads the ledger's postings, folds them into curves, and publishes balances and alerts."""
