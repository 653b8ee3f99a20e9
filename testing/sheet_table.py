"""python -m testing.sheet_table [FOLDER]

Reads each sheet of a folder with each profile that lies in it, beside it or in `profiles`, and prints one line for
each: read as a kind with its lines, or refused with the first place and the reason. The kind is the one that the name
of the file begins with, else the one that finds most of its columns.
"""

import csv
import sys
import time
from collections.abc import Iterator
from io import TextIOWrapper
from pathlib import Path
from typing import NamedTuple

from shared.documents.columns import TERMS
from shared.documents.document import KINDS, Kind
from shared.documents.headers import find_header
from shared.documents.profile import Profile, read_profile
from shared.documents.sheets import Sheet, read_grid, read_sheet
from shared.documents.tables.delimited import Unreadable

ENDINGS = (".csv", ".xlsx", ".xls", ".txt", ".tsv")
COLUMNS = ("file", "outcome", "as", "profile", "lines", "problems", "place", "code", "reason")


class SheetRow(NamedTuple):
    """One sheet, and the reading that got furthest."""

    file: str
    kind: Kind
    profile: str
    sheet: Sheet
    seconds: float

    @property
    def is_read(self) -> bool:
        return self.sheet.document is not None

    def cells(self) -> tuple[object, ...]:
        document, problems = self.sheet.document, self.sheet.problems
        outcome = (self.file, "read" if self.is_read else "refused", self.kind, self.profile)
        if document is not None:
            return (*outcome, len(document.lines), 0, "", "", "; ".join(note.text for note in self.sheet.notes))
        return (*outcome, "", len(problems), problems[0].place, problems[0].code, problems[0].reason)


def profiles_of(folder: Path) -> dict[str, Profile]:
    places = (folder, folder / "profiles", folder.parent / "profiles")
    files = sorted({path for place in places for path in place.glob("*.yaml")})
    return {"": Profile()} | {path.stem: read_profile(path.read_bytes(), path.name) for path in files}


def sheets_of(folder: Path) -> Iterator[SheetRow]:
    """Yield the best reading of each sheet of a folder."""
    profiles = profiles_of(folder)
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS):
        yield max(_readings(path, profiles), key=lambda reading: reading[0])[1]


def _readings(path: Path, profiles: dict[str, Profile]) -> Iterator[tuple[tuple[int, bool, int], SheetRow]]:
    """Yield each reading, with its rank: most columns, read, fewest problems."""
    body = path.read_bytes()
    named = [kind for kind in KINDS if path.name.startswith(kind)]
    for name, profile in profiles.items():
        for kind in named or KINDS:
            began = time.perf_counter()
            sheet = read_sheet(path.name, body, profile, kind)
            row = SheetRow(path.name, kind, name, sheet, time.perf_counter() - began)
            yield (_columns_found(body, profile, kind), row.is_read, -len(sheet.problems)), row


def _columns_found(body: bytes, profile: Profile, kind: Kind) -> int:
    try:
        header, _ = find_header(read_grid(body, profile), TERMS[kind], profile)
    except Unreadable:
        return 0
    return 0 if header is None else len(header.fields) + len(header.buckets)


def main(arguments: list[str]) -> int:
    if not arguments:
        print("sheet table: not run: SAMPLES=FOLDER names the sheets")
        return 0
    folder = Path(arguments[0])
    if not folder.is_dir():
        print(f"sheet table: {folder} is no folder")
        return 1
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    rows = list(sheets_of(folder))
    writer = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(row.cells() for row in rows)
    read, slowest = sum(row.is_read for row in rows), max((row.seconds for row in rows), default=0)
    print(f"{len(rows)} sheets: {read} read, {len(rows) - read} refused with place; the slowest took {slowest:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
