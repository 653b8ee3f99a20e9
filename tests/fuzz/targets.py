"""The targets: the readers of all that comes from outside, each with its seeds, its mutation and its oracle."""

import random
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.mutation import Mutate

FOUND = Path(__file__).with_name("found")
"""The inputs that broke an oracle once, in a folder for each target: every run of the tests reads them again."""

_MODULES = {
    "read_entry": "tests.fuzz.stream_entries",
    "parse_strictly": "tests.fuzz.strict_json",
    "tape": "tests.fuzz.tapes",
    "query": "tests.fuzz.http_queries",
}
NAMES = tuple(_MODULES)
INSTRUMENTED = ("services", "shared")
"""The packages whose branches count as coverage."""
COMPILED = {"query": tuple(f"services.aggregator.kernels.{name}" for name in (
    "curves", "history", "instants", "live_windows", "planning", "projection"
))}  # fmt: skip
"""The modules that a target imports and that count none: they are compiled."""


_FROM_SEEDS = 0.7  # of the mutations begin with a seed


class Target(NamedTuple):
    """A reader to fuzz."""

    name: str
    seeds: Sequence[bytes]
    mutate: Mutate
    check: Callable[[bytes], str]
    """Read an input; return what came of it in a word, and raise where the oracle disagrees."""

    def inputs(self, count: int, seed: int) -> list[bytes]:
        """Return the seeds and some mutations of them, mixed; the same ones for the same seed."""
        dice, found = random.Random(seed), list(self.seeds)
        for _ in range(count):
            found.append(self.mutate(dice.choice(self.seeds if dice.random() < _FROM_SEEDS else found), dice))
        dice.shuffle(found)
        return found

    def kept(self) -> dict[str, bytes]:
        """Return the inputs that broke the oracle once, by name."""
        return {path.name: path.read_bytes() for path in sorted((FOUND / self.name).glob("*"))}


def load(name: str) -> Target:
    """Return a target; it imports what it reads, so that a fuzzer can first say how."""
    module = import_module(_MODULES[name])
    return Target(name, module.seeds(), module.mutate, module.check)
