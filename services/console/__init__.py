"""The console: a planner's page on whether the programme is covered, until when, and by which supply."""
