"""The worklist: what can still be done about shortages and stock, ranked, and grouped where it floods."""
