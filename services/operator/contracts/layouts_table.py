"""The table in docs/proof.md: the position of each event's fields in its canonical bytes."""

from collections.abc import Mapping
from typing import Any

import orjson

from services.operator.contracts.markdown import table
from shared.wire.rows import LAYOUTS

COLUMN_NAMES = {
    "line": "lines", "day": "days", "wafers": "wafers", "revision": "revisions", "product": "products", "site": "sites",
    "supplier": "suppliers",
}  # fmt: skip
"""The columns of a batch, by the field of a row."""

_BEGIN, _END = "<!-- `make contracts` writes from here -->", "<!-- to here -->"


def proof_page(page: str) -> str:
    """Return the page, which is written by hand, with its generated table up to date."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"the page of the proof has no place for its table: {_BEGIN} ... {_END}")
    return f"{before}{begin}\n\n{layouts_table()}\n\n{end}{after}"


def layouts_table() -> str:
    """Return a row for each event: the field in each column of its canonical bytes, in Markdown."""
    columns = list(COLUMN_NAMES)
    rows = []
    for name, layout in LAYOUTS.items():
        cells = [f"`{layout.fields[column]}`" if column in layout.fields else "" for column in columns]
        rest = ", ".join(f"`{field}`{_left_out(layout.defaults, field)}" for field in layout.rest_fields)
        rows.append((f"`{name}`", *cells, rest))
    return table(("event", *(f"`{column}`" for column in columns), "`rest`"), rows)


def _left_out(defaults: Mapping[str, Any], field: str) -> str:
    return f" (not if `{orjson.dumps(defaults[field]).decode()}`)" if field in defaults else ""
