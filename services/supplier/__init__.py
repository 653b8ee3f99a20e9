"""The supplier: reads the sites' forecasts, orders and receipts, and publishes its commits, lots and shipments."""
