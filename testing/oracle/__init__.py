"""The oracle: every number of a planner worked out anew from the events, to be compared with what is answered.

It is written from `docs/numbers.md` and from what was settled since, and imports nothing of the services: the events
are dicts, the days ordinals, and each sum is a loop over all that it sums. Where the documents leave something open,
the docstring of the module that decides says how.
"""
