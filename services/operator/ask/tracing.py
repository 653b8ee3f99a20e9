"""The way of one event, from its source's word to the balances it changed: what the services answer, and logged."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from services.aggregator.fold.queries import balance_batch
from services.operator.ask.asking import ask
from services.operator.logs.logs import PARTIES, Line
from services.operator.record.at_rest import fold, open_store
from services.operator.stack.finding import StackError
from shared.wire.days import iso_day
from shared.wire.postings import STAGES, Measure

Key = tuple[str, str, str]  # product, site, supplier

_BEFORE_S = 1.0  # clocks of two hosts differ
_BALANCES = {"wip": "wip", "finished": "finished", "transit": "in_transit", "on_hand": "on_hand"}
_COLUMNS = (*_BALANCES.values(), "open_commit")


class _Passed(NamedTuple):
    """A line that says that all up to a position has passed: whose, and whether it counts batches or sequences."""

    step: str
    log: str
    services: frozenset[str]
    by_sequence: bool = False


_WAY = (
    _Passed("sent", "events_sent", PARTIES, by_sequence=True),
    _Passed("recorded", "batch_recorded", frozenset({"ledger"})),
    _Passed("told", "batches_told", frozenset({"ledger"})),
    _Passed("heard", "verdicts_heard", PARTIES, by_sequence=True),
    _Passed("rolled", "balances_rolled", frozenset({"aggregator"})),
    _Passed("planned", "plan_refreshed", frozenset({"aggregator"})),
)
"""What is said of every event; `recorded` and those by sequence are said of its source."""


def trace_event(folder: Path, source: str, id_: str, store_url: str | None = None) -> dict[str, Any]:
    """Return what became of an event: as it was said, its batch, postings, balances, and what belongs to it.

    Raises `StackError` where the ledger has not judged any such event.
    """
    verdict = ask(folder, "ledger", f"/events/{source}/{id_}")
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
    """Return the sequence of a refused event, where it is among the latest refusals."""
    refused = [each for each in ask(folder, "ledger", "/refusals") if (each["source"], each["id"]) == (source, id_)]
    return refused[-1]["sequence"] if refused else None


def _postings_of(batch: Mapping[str, Any], event: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the postings of a batch that an event can have had a part in: those of what it names."""
    said = event["data"]
    if "product" not in said and "reversed" not in said:
        return []  # a site, a phase, a watermark: it moves nothing and plans nothing
    sites = {said[name] for name in ("site", "to_site") if name in said}
    if "shipment" in said:
        sites = set()  # it may have been diverted: then it is posted where it was sent, too
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
        if all(row[name] == said.get(name, row[name]) for name in ("product", "supplier"))
        and (not sites or row["site"] in sites)
    ]


def _balances(
    folder: Path, postings: Sequence[Mapping[str, Any]], position: int, store_url: str | None
) -> list[dict[str, Any]]:
    """Return what the postings changed of each key; before and after its batch where the store can be read here."""
    changes: dict[Key, Counter[str]] = {}
    for posting in postings:
        change = changes.setdefault((posting["product"], posting["site"], posting["supplier"]), Counter())
        measure = Measure[posting["measure"]]
        if measure.name.startswith("OPEN_"):
            change["open_commit"] += posting["wafers"]
        taken, brought = STAGES.get(measure, ("", ""))
        change[_BALANCES.get(brought, "")] += posting["wafers"]
        change[_BALANCES.get(taken, "")] -= posting["wafers"]
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
    """Return the balances of some keys as they were after a batch; none where the store is not at hand."""
    with suppress(StackError):
        curves = fold(open_store(folder, store_url), until=position)
        at = {key: n for n, key in enumerate(curves.keys)}
        found = balance_batch(curves, np.array([at[key] for key in keys], dtype=np.int64))
        columns = zip(*(getattr(found, name) for name in _COLUMNS), strict=True)
        return {key: dict(zip(_COLUMNS, row, strict=True)) for key, row in zip(keys, columns, strict=True)}
    return {}


def _related(folder: Path, event: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the events that belong with an event: its cause, what follows from it, and those of its correlation."""
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
    """Return what another event is to an event; nothing for one that only has the same cause."""
    correlation = event.get("correlationid")
    kin = {
        "cause": other["id"] == event.get("causationid"),
        "effect": other.get("causationid") == event["id"],
        "correlated": (correlation is not None and correlation in (other.get("correlationid"), other["id"]))
        or other.get("correlationid") == event["id"],
    }
    return [name for name, is_so in kin.items() if is_so]


# ---------------------------------------------------------------- by the logs


def begin_of(found: Mapping[str, Any]) -> str:
    """Return from when on the logs can speak of an event, as their lines say it; empty where nobody knows."""
    arrived = found["batch"]["arrived"]
    return "" if arrived is None else _timestamp(arrived - _BEFORE_S * 1_000_000)


def steps_of(found: Mapping[str, Any], lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Return the steps of an event's way as they were logged, in time, each with its lag from the one before.

    A line that adds up what came fast is of a span: the step was taken `since` then and no later than `at`, so its lag
    is `lag_ms_max` at the most; it is exactly that between steps whose `since` and `at` are one.
    """
    ordered = sorted(lines, key=lambda line: line.order)
    steps = [_arrival(found)] if found["batch"]["arrived"] is not None else []
    begun = ""
    for passed in _WAY:
        line = next((line for line in ordered if _is_passed(passed, found, line.fields)), None)
        if line is not None:
            step = _step(passed.step, line)
            steps.append(step)
            if not passed.by_sequence:  # each follows from the one before; its line may be written before that one's
                begun = step["since"] = min(step["at"], max(begun, step["since"]))
    steps += [_step(str(line.fields["log"]), line) for line in ordered if _is_named(found, line.fields)]
    steps.sort(key=lambda step: step["at"])
    for before, step in zip([None, *steps], steps, strict=False):
        span = None if before is None else _moment(step["at"]) - _moment(before["since"])
        step["lag_ms_max"] = None if span is None else max(0.0, round(span.total_seconds() * 1000, 1))
    return steps


def unsaid(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the steps that no line has said."""
    return [passed.step for passed in _WAY if passed.step not in {step["step"] for step in steps}]


def _arrival(found: Mapping[str, Any]) -> dict[str, Any]:
    at = _timestamp(found["batch"]["arrived"])
    return {"step": "arrived", "at": at, "since": at, "process": "redis", "line": None}


def _step(name: str, line: Line) -> dict[str, Any]:
    since = _timestamp(_moment(line.timestamp).timestamp() * 1e6 - line.fields.get("held_ms", 0) * 1000)
    return {"step": name, "at": line.timestamp, "since": since, "process": line.process, "line": dict(line.fields)}


def _is_passed(passed: _Passed, found: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Return whether a line says that the event has passed a step."""
    of = found["sequence"] if passed.by_sequence else found["batch"]["position"]
    return (
        fields["log"] == passed.log
        and fields.get("service") in passed.services
        and fields.get("source", found["source"]) == found["source"]
        and of is not None
        and fields.get("position", 0) >= of
    )


def _is_named(found: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Return whether a line names the event: a refusal by its id, an alert among its causes."""
    is_its_own = fields.get("id") == found["id"] and fields.get("source") == found["source"]
    return is_its_own or f"{found['source']}/{found['id']}" in fields.get("causes", ())


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _timestamp(microseconds: float) -> str:
    at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=round(microseconds))
    return at.isoformat(timespec="microseconds")[:-6] + "Z"
