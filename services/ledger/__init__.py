"""The ledger: records the parties' events exactly once, and publishes postings and verdicts."""
