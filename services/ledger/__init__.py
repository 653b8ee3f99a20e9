"""The ledger: reads what the parties say, records it exactly once, publishes postings and what was recorded."""
