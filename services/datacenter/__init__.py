"""The data centre: reads the suppliers' commits and shipments, and publishes its sites, demand, receipts and stock."""
