"""Changes between two states: the shortages that are otherwise, by the party that moved them; lines and phases."""
