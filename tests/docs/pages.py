"""What the pages show, for a test to hold them to it: their tables and their blocks of code, by heading."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_NUMBER = re.compile(r"[−-]?\d[\d,]*(\.\d+)?")

Cell = int | float | str
Table = dict[str, list[Cell]]
"""The cells of each row, by the row's first one; the row of column names is one, too."""


def sections(page: str) -> dict[str, str]:
    """Return what stands below each heading of a page in docs/, to the next one of any level."""
    text = (DOCS / page).read_text(encoding="utf-8")
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def tables(section: str) -> list[Table]:
    """Return the tables of a section; empty cells are left out."""
    found = re.findall(r"(?:^\|.*\|\n)+", section, flags=re.MULTILINE)
    return [dict(_row(line) for line in each.splitlines() if not line.startswith("|--")) for each in found]


def blocks(section: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)


def _row(line: str) -> tuple[str, list[Cell]]:
    name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
    return name.strip("*"), [_cell(cell) for cell in cells if cell]


def _cell(text: str) -> Cell:
    if not _NUMBER.fullmatch(text):
        return text
    plain = text.replace("−", "-").replace(",", "")
    return float(plain) if "." in plain else int(plain)
