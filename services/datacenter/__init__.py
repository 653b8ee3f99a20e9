"""The data centre: reads what the suppliers commit and ship, and publishes its sites, demand, receipts and stock."""
