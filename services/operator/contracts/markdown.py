"""Markdown of the generated pages: wrapped prose, tables, and JSON in code blocks."""

import re
from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Any

import orjson

_WIDTH = 120
_OPENS_A_BLOCK = re.compile(r" (?=([-+*#>|]|\d+[.)]) )")  # at the start of a line it would be a list, a heading, ...
_KEPT_TOGETHER = "\N{NO-BREAK SPACE}"


def prose(text: str, indent: str = "") -> str:
    """Return paragraphs wrapped at 120 columns; an empty line separates paragraphs."""
    return "\n\n".join(_paragraph(each, indent) for each in text.split("\n\n"))


def _paragraph(text: str, indent: str) -> str:
    joined = _OPENS_A_BLOCK.sub(_KEPT_TOGETHER, " ".join(text.split()))
    lines = wrap(joined, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace(_KEPT_TOGETHER, " ")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with a header; a line break in a cell would end its row, and becomes a blank."""
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(cell.replace("\n", " ") for cell in row) + " |" for row in rows)])


def json_block(document: Any, lines_max: int | None = None) -> str:
    """Return a document as a block of JSON, or its first lines."""
    lines = pretty_json(document).splitlines()
    if lines_max is not None and len(lines) > lines_max:
        lines = [*lines[:lines_max], "..."]
    return "\n".join(["```json", *lines, "```"])


def pretty_json(document: Any) -> str:
    """Return a document as indented JSON with a newline at its end."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
