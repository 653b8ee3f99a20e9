"""The page of all bounds, docs/limits.md."""

from typing import Any

from services.operator.contracts.markdown import prose, table
from services.operator.docs.cells import default_cell, text_cell
from services.operator.docs.settings_page import PREFIX, SETTINGS
from shared.process.settings import ServiceSettings
from shared.wire.batch import BATCH_MAX, ENTRY_BYTES_MAX
from shared.wire.events import NESTING_MAX, SEQUENCE_MAX, WAFERS_MAX

_INTRODUCTION = """\
# The limits

<!-- Written by `make contracts` from the settings classes of the services: change those, not this page. -->

Every kind of work that a caller can ask for has a bound, so that a careless or hostile one is told no, and everybody
else is answered as before. A bound is a setting ([the settings](reference/settings.md)), and the answer at the bound
names it. `make abuse` tries each one against a real stack."""
_COLUMNS = ("bound", "default", "setting", "answer when it is reached", "watch")
_CONTRACT = """\
## The contract's own

These bounds are part of the event contract and no settings: all parties and the ledger must agree on them."""


def bounds_of(settings: type[ServiceSettings]) -> dict[str, dict[str, Any]]:
    """Return the bounds among the settings that a class adds, or gives another default: by name, what was declared."""
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
    contract = [
        ("events of an entry", f"{BATCH_MAX:,}", "`out_of_bounds`, the whole entry"),
        ("bytes of an entry", f"{ENTRY_BYTES_MAX:,}", "`out_of_bounds`, the whole entry"),
        ("wafers of an event", f"{WAFERS_MAX:,}", "`out_of_bounds`"),
        ("levels of a document", f"{NESTING_MAX}", "`malformed`"),
        ("the sequence of an event", f"{SEQUENCE_MAX:,}", "`out_of_bounds`"),
    ]
    return "\n\n".join([*parts, prose(_CONTRACT), table(("bound", "value", "refused with"), contract)]) + "\n"


def _row(name: str, each: dict[str, Any]) -> tuple[str, ...]:
    setting = f"`{PREFIX}{name.upper()}`"
    return text_cell(each["description"]), default_cell(each["default"]), setting, each["reached"], each["watched"]
