"""A sheet read into a document: its form, its header, its rows, and all its problems at once."""

from typing import NamedTuple

from shared.documents.document import Document, Kind
from shared.documents.problems import Problem
from shared.documents.profile import Profile


class SheetNote(NamedTuple):
    """A thing that the reader did and that the planner should see: `hidden_rows`, `extra_column`, `encoding` ..."""

    name: str
    text: str


class Sheet(NamedTuple):
    """A sheet that was read: its document, or None and all its problems."""

    document: Document | None
    problems: tuple[Problem, ...]
    notes: tuple[SheetNote, ...] = ()


def read_sheet(name: str, body: bytes, profile: Profile, kind: Kind) -> Sheet:
    """Return the document of a CSV or XLSX file, or all its problems, each with its place.

    `name` is the file's, for messages only: the content tells the format. Never raises for any bytes.
    """
    raise NotImplementedError
