"""Bridge between two projections of a product at a site: the change of the balance of one day, by cause."""
