"""The two databases, for what must be the same on both."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from services.ledger.store.reader import StoreReader, open_reader
from services.ledger.store.writer import StoreWriter, open_writer
from testing.fold import Folded, fold, fresh_store

OpenHere: TypeAlias = Callable[..., Any]
FoldHere: TypeAlias = Callable[..., Folded]


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where there is nothing yet."""
    return str(tmp_path / "ledger.db") if request.param == "sqlite" else request.getfixturevalue("postgres")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where there is an empty store."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_store"))
    path = str(tmp_path / "ledger.db")
    fresh_store(path).close()
    return path


@pytest.fixture
def open_here(place: str) -> Iterator[OpenHere]:
    """Opens the store of a test, as often as it likes; each is closed at its end."""
    with ExitStack() as until_the_end:

        def open_here(**options: Any) -> StoreReader:
            store = open_reader(place) if options.pop("read_only", False) else open_writer(place, **options)
            until_the_end.callback(store.close)
            return store

        yield open_here


@pytest.fixture
def fold_here(place: str) -> Iterator[FoldHere]:
    """Folds events over the store of a test, emptied before; it is closed at its end."""
    with ExitStack() as until_the_end:

        def fold_here(events: Any, **options: Any) -> Folded:
            folded = fold(events, path=place, **options)
            until_the_end.callback(folded.store.close)
            return folded

        yield fold_here


@pytest.fixture
def store(open_here: OpenHere) -> StoreWriter:
    """The store of a test."""
    return open_here()
