"""The contenders of the workloads: one file for each library, loaded into a process and an environment of its own.

A contender is a class that takes its events in the constructor, converts them to its preferred form, and has `run()`,
which is timed, and `answer(result)`, which is not: it converts the result to the types of `bench.workloads`.
A contender of W3 takes the history and the windows, and instead of `run` has `add(batch)`; `prepare(batch)` converts
the batch to its preferred form before the clock runs.
"""
