"""A file given back with its problems: two more columns, `place` and `problem`; corrected, it imports."""

from collections.abc import Sequence

from shared.documents.document import Kind
from shared.documents.problems import Problem
from shared.documents.profile import Profile


def mark_problems(name: str, body: bytes, problems: Sequence[Problem], profile: Profile, kind: Kind) -> bytes:
    """Return the same file, in the same format, with the place and the reason of each problem beside its row.

    A reader ignores the two columns. A text that a spreadsheet would run as a formula gets an apostrophe before it.
    Problems without a row stand beside the header. A file that cannot be opened comes back as a CSV of problems alone.
    """
    raise NotImplementedError
