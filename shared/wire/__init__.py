"""Messages on the streams and in stores: events, postings, alerts, and their names; pure."""
