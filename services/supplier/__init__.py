"""The supplier: reads what the sites forecast, order and receive, and publishes its commits, lots and shipments."""
