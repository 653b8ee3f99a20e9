"""Tables of recorded events: counts, refusals, one event with its proof, and its trace."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from services.operator.show.table import FittedTable, escape_controls, plain, table

_POSTINGS_MAX = 20


def event_tables(found: Mapping[str, Any]) -> Iterator[Text]:
    """Yield an event as its source published it, and the proof of its place in the record."""
    if found["status"] == "refused":
        why = f"{found['code']} at {found['path'] or 'the whole'}: {found['message']}"
        yield Text(escape_controls(f"{found['source']}/{found['id']} was refused: {why}"))
    else:
        yield Text(escape_controls(json.dumps(found["event"], indent=1, ensure_ascii=False)))
    line = "on no line" if found["document_line"] is None else f"line {found['document_line']}"
    yield Text(f"\nbatch {found['batch']:,}, {line} of its document, head {found['head']}")
    for check, holds in found["checks"].items():
        yield Text(f"{'proved' if holds else 'NOT proved'}: {check}", style="" if holds else "bold red")
    signed = found["signed_at"]
    yield Text(
        "no checkpoint here covers it: a writer to the store could have sealed it anew\n"
        if signed is None
        else f"the checkpoint of batch {signed:,} covers it; for the chain between them: waferline verify --chain\n",
        style="dim",
    )


def trace_tables(found: Mapping[str, Any]) -> Iterator[FittedTable | Text]:
    """Yield one event's fields, its steps through the services, its postings, balances and related events."""
    event, batch, refused = found["event"], found["batch"], found["refused"]
    if refused is not None:
        rows = [tuple(refused.values())]
        yield table(f"{found['source']}/{found['id']}: refused", ("code", "path", "fault"), rows)
    else:
        rows = [(name, plain(value)) for name, value in event["data"].items()]
        title = f"{found['source']}/{found['id']}: {event['type']}, sequence {found['sequence']}, of {event['time']}"
        yield table(title, ("field", "value"), rows)
    steps = [
        (step["step"], step["at"][11:23], "" if step["since"] == step["at"] else step["since"][11:23],
         step["lag_ms_max"], step["process"], line.get("log", "–"), line.get("position"))
        for step in found["steps"]
        for line in (step["line"] or {},)
    ]  # fmt: skip
    missing = f"no line of: {', '.join(found['unsaid'])}\n" if found["unsaid"] else ""
    yield table(
        f"Steps, times of UTC; batch {batch['position']}, {batch['events']} events, head {batch['head'][:16]}",
        ("step", "at", "since", "lag ms, at most", "process", "log", "through"),
        steps,
        caption=missing + "since: the log line sums up all events from then on. "
        + ("Folded into the balances." if found["folded"] else "NOT yet folded into the balances."),
    )  # fmt: skip
    if found["postings"]:
        rows = [tuple(posting.values()) for posting in found["postings"][:_POSTINGS_MAX]]
        more = len(found["postings"]) - len(rows)
        caption = f"net of all {batch['events']} events of the batch" if batch["events"] > 1 else "of this event alone"
        yield table(
            "Postings",
            ("measure", "day", "product", "site", "supplier", "wafers"),
            rows,
            caption=caption + (f"; and {more} more: --json" if more else ""),
        )
    balances = [
        (
            key["product"],
            key["site"],
            key["supplier"],
            name,
            change,
            *(_of(key[at], name) for at in ("before", "after")),
        )
        for key in found["balances"]
        for name, change in key["change"].items()
        if change
    ]
    if balances:
        columns = ("product", "site", "supplier", "balance", "change", "before the batch", "after it")
        yield table("Changed balances", columns, balances, caption="–: the store cannot be read here; --store")
    if found["related"]:
        rows = [(", ".join(each["as"]), f"{each['source']}/{each['id']}", each["type"], each["time"]) for each in
                found["related"]]  # fmt: skip
        yield table("Related events", ("as", "event", "type", "time"), rows)


def _of(balance: Mapping[str, int] | None, name: str) -> int | None:
    return None if balance is None else balance[name]


def refusals_table(refusals: Sequence[Mapping[str, Any]]) -> FittedTable:
    """Return the refused events, with the fault in each."""
    return table(
        f"Refused events: {len(refusals)} (stored, and published to their source; valid events beside them went on)",
        ("source", "sequence", "reason", "path", "fault"),
        [(r["source"], r["sequence"], r["code"], r["path"], r["message"]) for r in refusals],
    )


def counts_table(counts: Mapping[str, int], refused: int) -> FittedTable:
    """Return the number of recorded events of each type."""
    return table(
        f"Events recorded: {sum(counts.values()):,} (and {refused} refused)",
        ("event", "count"),
        sorted(counts.items(), key=lambda item: -item[1]),
    )
