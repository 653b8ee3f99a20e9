"""The worklist: actions on shortages and stock, ranked, and grouped where there are many of a kind."""
