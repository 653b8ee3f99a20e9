"""Trace of one event from its publication to the balances it changed, from the services' answers and their logs."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from services.aggregator.fold.queries import balance_batch
from services.operator.ask.client import ask
from services.operator.logs.lines import PARTIES, Line, timestamp
from services.operator.record.curves import fold
from services.operator.record.store import open_store
from services.operator.stack.errors import StackError
from shared.http.peers import path_of
from shared.wire.days import iso_day
from shared.wire.postings import STAGES, Measure

Key = tuple[str, str, str]  # product, site, supplier

_CLOCK_SKEW_S = 1.0  # between two hosts
_BALANCES = {"wip": "wip", "finished": "finished", "transit": "in_transit", "on_hand": "on_hand"}
_COLUMNS = (*_BALANCES.values(), "open_commit")


class _Step(NamedTuple):
    """A step of every event, and the log line that reports it up to a batch, or up to a sequence of the source."""

    name: str
    log: str
    services: frozenset[str]
    by_sequence: bool = False


_STEPS = (
    _Step("sent", "events_sent", PARTIES, by_sequence=True),
    _Step("recorded", "batch_recorded", frozenset({"ledger"})),
    _Step("told", "batches_told", frozenset({"ledger"})),
    _Step("heard", "verdicts_heard", PARTIES, by_sequence=True),
    _Step("rolled", "balances_rolled", frozenset({"aggregator"})),
    _Step("planned", "plan_refreshed", frozenset({"aggregator"})),
)
"""The steps of every event, in order; the lines of `recorded`, and those by sequence, name the event's source."""


def trace_event(folder: Path, source: str, id_: str, store_url: str | None = None) -> dict[str, Any]:
    """Return an event as published, its batch, postings and balances, and its related events.

    Raises `StackError` if the ledger has no such event.
    """
    verdict = ask(folder, "ledger", path_of("events", source, id_))
    position = verdict["batch"]
    batch = ask(folder, "ledger", "/postings", after=position - 1, limit=1)
    event = verdict.get("event")
    postings = _postings_of(batch, event) if event is not None else []
    return {
        "source": source,
        "id": id_,
        "status": verdict["status"],
        "refused": None if event is not None else {name: verdict[name] for name in ("code", "path", "message")},
        "sequence": int(event["sequence"]) if event is not None else _refused_sequence(folder, source, id_),
        "event": event,
        "batch": {"position": position, "head": batch["head"], "events": batch["events"], "arrived": batch["told"]},
        "folded": ask(folder, "aggregator", "/balances", limit=1)["position"] >= position,
        "postings": postings,
        "balances": _balances(folder, postings, position, store_url),
        "related": _related(folder, event),
    }


def _refused_sequence(folder: Path, source: str, id_: str) -> int | None:
    """Return the sequence of a refused event, None if it is not among the latest refusals."""
    refused = [each for each in ask(folder, "ledger", "/refusals") if (each["source"], each["id"]) == (source, id_)]
    return refused[-1]["sequence"] if refused else None


def _postings_of(batch: Mapping[str, Any], event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the postings of a batch that an event may have caused: those of its product, site and supplier."""
    data = event["data"]
    if "product" not in data and "reversed" not in data:
        return []  # a site, a phase or a watermark has no postings
    sites = {data[name] for name in ("site", "to_site") if name in data}
    parts = ["product", "supplier"]
    if "shipment" in data:  # a diverted one is also posted at the site it was sent to, all of it under its supplier
        sites, parts = set(), ["product"]
    names = batch["names"]
    columns = (batch[name] for name in ("measures", "days", "products", "sites", "suppliers", "wafers"))
    rows = [
        {
            "measure": Measure(measure).name,
            "day": iso_day(day),
            "product": names[product],
            "site": names[site],
            "supplier": names[supplier],
            "wafers": wafers,
        }
        for measure, day, product, site, supplier, wafers in zip(*columns, strict=True)
    ]
    return [
        row
        for row in rows
        if all(row[name] == data.get(name, row[name]) for name in parts) and (not sites or row["site"] in sites)
    ]


def _balances(
    folder: Path, postings: Sequence[Mapping[str, Any]], position: int, store_url: str | None
) -> list[dict[str, Any]]:
    """Return the change of each key's balances, and the balances before and after its batch."""
    changes: dict[Key, Counter[str]] = {}
    for posting in postings:
        change = changes.setdefault((posting["product"], posting["site"], posting["supplier"]), Counter())
        measure = Measure[posting["measure"]]
        if measure.name.startswith("OPEN_"):
            change["open_commit"] += posting["wafers"]
        from_stage, to_stage = STAGES.get(measure, ("", ""))
        change[_BALANCES.get(to_stage, "")] += posting["wafers"]
        change[_BALANCES.get(from_stage, "")] -= posting["wafers"]
    after = _balances_after(folder, list(changes), position, store_url) if changes else {}
    return [
        {
            **dict(zip(("product", "site", "supplier"), key, strict=True)),
            "change": {name: change[name] for name in _COLUMNS},
            "before": {name: after[key][name] - change[name] for name in _COLUMNS} if key in after else None,
            "after": after.get(key),
        }
        for key, change in changes.items()
    ]


def _balances_after(
    folder: Path, keys: Sequence[Key], position: int, store_url: str | None
) -> dict[Key, dict[str, int]]:
    """Return the balances of some keys after a batch; none if the store is not on this machine."""
    with suppress(StackError):
        curves = fold(open_store(folder, store_url), until=position)
        at = {key: n for n, key in enumerate(curves.keys)}
        found = balance_batch(curves, np.array([at[key] for key in keys], dtype=np.int64))
        columns = zip(*(getattr(found, name) for name in _COLUMNS), strict=True)
        return {key: dict(zip(_COLUMNS, row, strict=True)) for key, row in zip(keys, columns, strict=True)}
    return {}


def _related(folder: Path, event: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the related events of an event: its cause, its effects, and those of its correlation."""
    if event is None:
        return []
    ids = {event["id"], event.get("causationid"), event.get("correlationid")} - {None}
    answers = [each for id_ in sorted(ids) for each in ask(folder, "ledger", f"/related/{id_}")]
    found = {(each["source"], each["id"]): each for each in answers}
    found.pop((event["source"], event["id"]), None)
    return [
        {
            "source": source,
            "id": id_,
            "type": each["type"],
            "time": each["time"],
            "as": _kinship(event, each),
        }
        for (source, id_), each in sorted(found.items(), key=lambda item: (item[1]["time"], item[0]))
        if _kinship(event, each)
    ]


def _kinship(event: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return the relations of another event to an event; none for one that only has the same cause."""
    correlation = event.get("correlationid")
    kin = {
        "cause": other["id"] == event.get("causationid"),
        "effect": other.get("causationid") == event["id"],
        "correlated": (correlation is not None and correlation in (other.get("correlationid"), other["id"]))
        or other.get("correlationid") == event["id"],
    }
    return [name for name, is_so in kin.items() if is_so]


# ---------------------------------------------------------------- by the logs


def earliest_line(trace: Mapping[str, Any]) -> str:
    """Return the earliest timestamp of a log line about an event; empty if its arrival is unknown."""
    arrived = trace["batch"]["arrived"]
    return "" if arrived is None else _timestamp(arrived - _CLOCK_SKEW_S * 1_000_000)


def logged_steps(trace: Mapping[str, Any], lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Return the steps of an event that the logs report, by time, each with its lag behind the step before.

    A line that aggregates a busy second covers a span: the step happened between `since` and `at`, so its lag is at
    most `lag_ms_max`, and exactly that between steps whose `since` equals `at`.
    """
    ordered = sorted(lines, key=lambda line: line.order)
    steps = [_arrival(trace)] if trace["batch"]["arrived"] is not None else []
    begun = ""
    for each in _STEPS:
        line = next((line for line in ordered if _reports_step(each, trace, line.fields)), None)
        if line is not None:
            step = _step_facts(each.name, line)
            steps.append(step)
            if not each.by_sequence:  # a step follows the one before, even if that line is written later
                begun = step["since"] = min(step["at"], max(begun, step["since"]))
    steps += [_step_facts(str(line.fields["log"]), line) for line in ordered if _is_named(trace, line.fields)]
    steps.sort(key=lambda step: step["at"])
    for before, step in zip([None, *steps], steps, strict=False):
        span = None if before is None else _moment(step["at"]) - _moment(before["since"])
        step["lag_ms_max"] = None if span is None else max(0.0, round(span.total_seconds() * 1000, 1))
    return steps


def missing_steps(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the steps that no line reports."""
    return [each.name for each in _STEPS if each.name not in {step["step"] for step in steps}]


def _arrival(trace: Mapping[str, Any]) -> dict[str, Any]:
    at = _timestamp(trace["batch"]["arrived"])
    return {"step": "arrived", "at": at, "since": at, "process": "redis", "line": None}


def _step_facts(name: str, line: Line) -> dict[str, Any]:
    since = _timestamp(_moment(line.timestamp).timestamp() * 1e6 - line.fields.get("held_ms", 0) * 1000)
    return {"step": name, "at": line.timestamp, "since": since, "process": line.process, "line": dict(line.fields)}


def _reports_step(step: _Step, trace: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Return whether a line reports that the event has passed a step."""
    own = trace["sequence"] if step.by_sequence else trace["batch"]["position"]
    return (
        fields["log"] == step.log
        and fields.get("service") in step.services
        and fields.get("source", trace["source"]) == trace["source"]
        and own is not None
        and fields.get("position", 0) >= own
    )


def _is_named(trace: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Return whether a line names the event: a refusal by its id, an alert among its causes."""
    is_its_own = fields.get("id") == trace["id"] and fields.get("source") == trace["source"]
    return is_its_own or f"{trace['source']}/{trace['id']}" in fields.get("causes", ())


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _timestamp(microseconds: float) -> str:
    return timestamp(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=round(microseconds)))
