"""What crosses a stream or is stored: events, postings, alerts, and the names in them; pure."""
