"""What others make of the workloads: one file for each library, loaded into a process and an environment of its own.

A contender is a class that takes its events in the constructor, brings them into the form it likes best, and has
`run()`, which is timed, and `answer(result)`, which is not: it says the result in the words of `bench.workloads`.
A contender of W3 takes the history and the windows, and instead of `run` has `add(batch)`, with `told(batch)` bringing
the batch into the form it likes best before the clock runs.
"""
