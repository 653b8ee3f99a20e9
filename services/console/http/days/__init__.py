"""The calendar: days and positions of the log by their events, from which a visitor chooses how much a page knows."""
