"""Alerts as a function of the folded state; pure."""
