"""The lines behind the postings: each commit, order, forecast and shipment, statement by statement."""
