"""A short selection of every fault, on one stack after the other; `make chaos` has the long one."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from tests.chaos.faults import FAULTS, Fault, Skipped
from tests.chaos.forgery import FORGERIES
from tests.chaos.invariants import violations
from tests.chaos.rig import Rig

SEED = 2026


class Rigs:
    """Gives each test the rig of the one before, and a new one where that was not given back."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.number, self.whole = folder, count(), False
        self.until_the_end = ExitStack()

    def take(self) -> Rig:
        if not self.whole:
            self.until_the_end.close()
            self.rig = self.until_the_end.enter_context(Rig(self.folder / f"stack-{next(self.number)}", SEED))
        self.whole = False
        return self.rig

    def give_back(self) -> None:
        self.whole = True


@pytest.fixture(scope="module")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rigs]:
    rigs = Rigs(tmp_path_factory.mktemp("chaos"))
    with rigs.until_the_end:
        yield rigs


@pytest.mark.parametrize("fault", [*FAULTS, *FORGERIES], ids=lambda fault: fault.name)
def test_all_that_must_hold_holds_after(fault: Fault, rigs: Rigs) -> None:
    rig = rigs.take()
    rig.run_load()
    try:
        tried = fault.do(rig, random.Random(f"{SEED}:{fault.name}"), 1)  # noqa: S311
    except Skipped as why:
        rigs.give_back()
        pytest.skip(str(why))

    assert violations(rig, as_command=False) == []
    assert tried.times
    rigs.give_back()
