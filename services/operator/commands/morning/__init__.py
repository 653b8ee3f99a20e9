"""Commands of a planner's morning: remarks, the worklist and the report."""
