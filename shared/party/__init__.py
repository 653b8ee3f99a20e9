"""A party that hands in events: outbox, intake and simulation."""
