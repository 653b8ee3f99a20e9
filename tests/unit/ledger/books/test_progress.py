"""The progress of a source: its runs are the set of sequences received."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.books.progress import Progress


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 8)), max_size=20))
def test_runs_are_the_set_of_sequences_that_were_heard(spans):
    progress, heard, stored = Progress(), set(), {}
    for first, more in spans:
        heard |= set(range(first, first + more + 1))
        replaced, run = progress.add_run(first, first + more)
        for gone in replaced:
            del stored[gone]
        stored[run[0]] = run[1]

    assert {n for first, last in progress.runs for n in range(first, last + 1)} == heard
    assert progress.runs == sorted(stored.items())
    assert all(last + 1 < first for (_, last), (first, _) in zip(progress.runs, progress.runs[1:], strict=False))
    assert progress.through == next(n for n in range(70) if n + 1 not in heard)
    assert progress.newest == max(heard, default=0)
