"""Megawatts whose racks have their memory, beside the megawatts energised; energy and CO2 of the latter."""
