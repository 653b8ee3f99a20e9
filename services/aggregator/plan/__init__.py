"""Planning numbers: projection, netting, pegging, ATP, shortages, performance; pure."""
