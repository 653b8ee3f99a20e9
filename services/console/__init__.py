"""The console: the page on which a planner sees whether the programme is covered."""
