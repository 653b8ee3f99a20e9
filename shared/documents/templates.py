"""Workbooks that `read_sheet` reads: a template for each kind, empty or filled with the lines in force."""

from collections.abc import Sequence

from shared.documents.document import Kind
from shared.documents.saying import StandingLine


def template(kind: Kind, lines: Sequence[StandingLine] = ()) -> bytes:
    """Return an XLSX workbook with typed columns and a frozen header, that reads back to nothing new.

    Its second sheet describes the columns. With `lines` it holds their values, too.
    """
    raise NotImplementedError
