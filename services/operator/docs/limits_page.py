"""The page of all bounds, docs/limits.md."""

from typing import Any

from services.console.http.tables.paging import SORTED_ROWS_MAX
from services.ledger.http.movements import SCANNED_PAGES_MAX
from services.ledger.http.routes import PAGE_BYTES_MAX
from services.ledger.store.as_of import PAGE_EVENTS
from services.operator.contracts.markdown import prose, table
from services.operator.docs.cells import default_cell, text_cell
from services.operator.docs.settings_page import PREFIX, SETTINGS
from services.operator.record.tapes import LINE_BYTES_MAX
from services.operator.stack.redis_server import redis_settings
from shared.process.log import LOGGED_REFUSALS_MAX
from shared.process.settings import ServiceSettings
from shared.wire.batch import BATCH_MAX, ENTRY_BYTES_MAX
from shared.wire.events import NESTING_MAX, SEQUENCE_MAX, WAFERS_MAX

_INTRODUCTION = """\
# The limits

<!-- Written by `make contracts` from the settings classes of the services: change those, not this page. -->

Every kind of work that a caller can ask for has a bound, so that a careless or hostile one is told no, and everybody
else is answered as before. A bound is a setting ([the settings](reference/settings.md)), and the answer at the bound
names it. `make abuse` tries each one against a real stack.

The column *watch* has metrics (`waferline_...`) and lines of the log. `names_near_limit` is a warning in the log of the
party or the aggregator whose names near their limit; the metric `waferline_names` and the Prometheus rule
[NamesNearLimit](watching.md#namesnearlimit) say the same. It is none of the planner's [alerts](alerts.md), which follow
from the events alone: neither `waferline alerts` nor the page shows it."""
_COLUMNS = ("bound", "default", "setting", "answer when it is reached", "watch")
_FIXED = """\
## Fixed

These bounds need no other value anywhere. Redis's own are in `deploy/redis.conf`."""
_CONTRACT = """\
## The contract's own

These bounds are part of the event contract and no settings: all parties and the ledger must agree on them."""


def bounds_of(settings: type[ServiceSettings]) -> dict[str, dict[str, Any]]:
    """Return the bounds among the settings that a class adds, or gives another default: by name, as declared."""
    parent = settings.__mro__[1]
    inherited = parent.model_fields if issubclass(parent, ServiceSettings) else {}
    return {
        name: {"default": field.get_default(), "description": field.description, **field.json_schema_extra}
        for name, field in settings.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and "reached" in field.json_schema_extra
        if name not in inherited or field.get_default() != inherited[name].get_default()
    }


def limits_page() -> str:
    """Return the page, in Markdown."""
    parts = [_INTRODUCTION]
    for title, settings in SETTINGS.items():
        rows = [_row(name, each) for name, each in bounds_of(settings).items()]
        if rows:
            parts += [f"## {title}", table(_COLUMNS, rows)]
    redis = redis_settings()
    contract = [
        ("events of an entry", f"{BATCH_MAX:,}", "`out_of_bounds`, the whole entry"),
        ("bytes of an entry", f"{ENTRY_BYTES_MAX:,}", "`out_of_bounds`, the whole entry"),
        ("wafers of an event", f"{WAFERS_MAX:,}", "`out_of_bounds`"),
        ("levels of a document", f"{NESTING_MAX}", "`malformed`"),
        ("the sequence of an event", f"{SEQUENCE_MAX:,}", "`out_of_bounds`"),
    ]
    fixed = [
        ("bytes of an entry on any stream", redis["proto-max-bulk-len"], "Redis refuses it"),
        (
            "bytes of an answer of Redis",
            redis["client-output-buffer-limit"].split()[1],
            "the reader asks for one entry",
        ),
        ("bytes of a page of `/postings`", f"{PAGE_BYTES_MAX:,}", "the next page has the rest"),
        (
            "events of the log that a page of `/movements` searches",
            f"{SCANNED_PAGES_MAX * PAGE_EVENTS:,}",
            "the next page goes on from there, also where this one has no rows",
        ),
        ("bytes of a line of a tape", f"{LINE_BYTES_MAX:,}", "`replay` refuses the tape before it starts anything"),
        ("rows of a table that the console sorts", f"{SORTED_ROWS_MAX:,}", "the page asks for a product or a site"),
        ("lines a second about refused events, of each source", f"{LOGGED_REFUSALS_MAX}", "`refusals_left_out`"),
    ]
    return (
        "\n\n".join(
            [
                *parts,
                _FIXED,
                table(("bound", "value", "when it is reached"), fixed),
                prose(_CONTRACT),
                table(("bound", "value", "refused with"), contract),
            ]
        )
        + "\n"
    )


def _row(name: str, each: dict[str, Any]) -> tuple[str, ...]:
    setting = f"`{PREFIX}{name.upper()}`"
    return text_cell(each["description"]), default_cell(each["default"]), setting, each["reached"], each["watched"]
