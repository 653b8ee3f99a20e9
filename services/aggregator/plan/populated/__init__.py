"""Megawatts populated with memory beside the megawatts energised; energy and CO2 of the latter."""
