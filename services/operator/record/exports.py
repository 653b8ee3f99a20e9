"""Exports of a store for other tools: a journal for hledger, the sealed documents, Parquet tables."""

import codecs
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from services.ledger.store.reader import StoreReader
from services.operator.record.formats import Format
from services.operator.record.journal import write_journal
from services.operator.record.store import expect_sealed
from services.operator.show.table import escape_controls
from services.operator.stack.errors import StackError
from services.operator.stack.new_file import new_file, refuse_other_format

_ENDINGS: dict[Format, tuple[str, ...]] = {"hledger": (".journal",), "jsonl": (".jsonl", ".ndjson"), "parquet": ()}


def export(
    store: StoreReader, format_: Format, target: Path | None, advance: Callable[[int], None] = lambda _: None
) -> None:
    """Write a store to a new file, to standard output (None), or for Parquet to a new folder.

    `advance` is called with 1 for each batch. The target is complete, or absent. Raises `StackError` if it exists.
    """
    if target is not None:
        refuse_other_format(target, *_ENDINGS[format_])
    if format_ == "parquet":
        if target is None:
            raise StackError("parquet takes a folder for its two files: name it with --to")
        from services.operator.record.parquet import write_parquet  # noqa: PLC0415 (pyarrow loads slowly)

        write_parquet(store, target, advance)
        return
    write = write_journal if format_ == "hledger" else _write_documents
    with _opened(target) as file:
        write(store, file, advance)


@contextmanager
def _opened(target: Path | None) -> Iterator[BinaryIO]:
    if target is None:
        yield cast(BinaryIO, _TerminalWriter()) if sys.stdout.isatty() else sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with new_file(target) as part, part.open("wb") as file:
        yield file


class _TerminalWriter:
    """Writes bytes to a terminal as text with escaped controls; a file or a pipe gets the bytes as they are."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, content: bytes) -> int:
        return sys.stdout.write(escape_controls(self._decoder.decode(content)))


def _write_documents(store: StoreReader, file: BinaryIO, advance: Callable[[int], None]) -> None:
    for sealed in expect_sealed(store.sealed_batches()):
        file.write(sealed.document())
        advance(1)
