"""The events that a document states, given the lines that are in force."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import orjson

from shared.documents.columns import TERMS
from shared.documents.document import PLANS, Document, Kind, Place, Scope
from shared.documents.facts import Catalogue, Fact, FactReader, Key, key_of, meaning_of, midnight, scope_of
from shared.documents.problems import DocumentProblem, in_order
from shared.documents.profile import Profile
from shared.documents.sheets import PROBLEMS_MAX, Sheet
from shared.wire.days import iso_time, microseconds
from shared.wire.events import PREFIX, VERSION, event_id


class LineInForce(NamedTuple):
    """A line, receipt, count, site or product of the source as it is in force, by the data of its last event.

    `data` has the JSON form of a CloudEvent's `data`; a field that is left out is not compared. `time` is the time of
    the event in force, and `event` its id. Of receipts the id is necessary, as a receipt that changes is reversed.
    """

    data: Mapping[str, Any]
    time: datetime
    event: str = ""


class AppliedPlan(NamedTuple):
    """A document that was applied: no older one states anything of its scope and horizon, or of its lines."""

    scope: Scope
    issued: datetime
    starts_on: date
    ends_on: date
    lines: frozenset[str] = frozenset()  # those that the document names; empty: all that are due in the horizon


Outcome = Literal["new", "changed", "withdrawn"]


class StatedEvent(NamedTuple):
    """One event that the document states, as a CloudEvent without a sequence, with the place that it comes from."""

    event: dict[str, Any]
    place: Place
    outcome: Outcome


class StatedDocument(NamedTuple):
    """The events of a document, or its problems and no event: a document is stated whole or not at all."""

    document: str  # id of the document, the `correlationid` of its events; of receipts and counts they have none
    events: tuple[StatedEvent, ...]
    new: int
    changed: int
    withdrawn: int
    unchanged: int
    superseded: tuple[DocumentProblem, ...]  # lines left out, as a later document has stated them
    problems: tuple[DocumentProblem, ...]
    applied: tuple[AppliedPlan, ...] = ()  # to be kept, and passed on to the next call
    running: Mapping[Scope, Sequence[tuple[date, Fraction]]] = {}
    """Of a profile that rounds by `carry`: the exact cumulative wafers of each scope through each bucket. Keep them and
    pass the last before the first bucket of the next document in `carried`."""


_ROW_FIELDS = ("product", "site", "supplier", "line", "wafers", "revision", "firmness", "start_by", "priority")


def line_in_force(row: Mapping[str, Any]) -> LineInForce:
    """Return the line of a row of the ledger's `GET /lines`, of the kind commit, forecast or order."""
    data = {name: row[name] for name in _ROW_FIELDS if row.get(name) is not None}
    return LineInForce(data | {"due": row["day"]}, datetime.fromisoformat(row["time"]), row["id"])


def find_problems(
    sheet: Sheet, source: str, profile: Profile, catalogue: Catalogue, issued: datetime
) -> tuple[DocumentProblem, ...]:
    """Return all problems of a sheet at once: of its cells, and of the names, units and bounds of its lines.

    A sheet with problems has no document; this also checks the lines of it that could be read. There are `PROBLEMS_MAX`
    at most.
    """
    problems = list(sheet.problems)
    if sheet.readable is not None:
        reader = FactReader(sheet.readable.kind, source, profile, catalogue, issued)
        reader.read(sheet.readable, {})
        problems += reader.problems
    return in_order(problems)[:PROBLEMS_MAX]


def state_document(
    document: Document,
    in_force: Sequence[LineInForce],
    source: str,
    profile: Profile,
    catalogue: Catalogue,
    issued: datetime,
    *,
    number: str = "",
    applied: Sequence[AppliedPlan] = (),
    carried: Mapping[Scope, Fraction] | None = None,
) -> StatedDocument:
    """Return the events that make the lines of the source those of the document.

    `in_force` holds all lines of the source and of the document's kind, withdrawn ones included. `catalogue` maps each
    declared product to its wafer model, None where it has none. `issued` is the time of the events; a receipt or a
    count has the first instant of its day. `number` is the partner's for the document; without one a digest of its
    meaning takes its place, so that another layout of it is the same document.
    """
    reader = FactReader(document.kind, source, profile, catalogue, issued)
    scopes = reader.scopes(document) if document.kind in PLANS else {}
    facts = reader.read(document, carried or {})
    if not reader.problems:
        number = number or sha256(orjson.dumps(list(meaning_of(document, facts)))).hexdigest()[:16]
    id_ = event_id(issued, source, f"{document.kind}|{profile.partner}|{number}")
    if reader.problems:
        return StatedDocument(id_, (), 0, 0, 0, 0, (), in_order(reader.problems)[:PROBLEMS_MAX])
    comparison = _Comparison(document, in_force, source, issued, id_, applied)
    events = list(comparison.compare(facts, scopes))
    if comparison.problems:
        return StatedDocument(id_, (), 0, 0, 0, 0, (), tuple(comparison.problems))
    counts = comparison.counts
    return StatedDocument(
        id_,
        tuple(events),
        counts["new"],
        counts["changed"],
        counts["withdrawn"],
        counts["unchanged"],
        tuple(comparison.superseded),
        (),
        tuple(comparison.applied),
        reader.running,
    )


class _Comparison:
    """The comparison of a document's facts with the lines in force."""

    def __init__(
        self,
        document: Document,
        in_force: Sequence[LineInForce],
        source: str,
        issued: datetime,
        id_: str,
        applied: Sequence[AppliedPlan],
    ) -> None:
        self.document = document
        self.kind: Kind = document.kind
        self.source = source
        self.issued = issued
        self.id = id_
        self.lines = {self._key(line): line for line in in_force}
        self.counts = {"new": 0, "changed": 0, "withdrawn": 0, "unchanged": 0}
        self.problems: list[DocumentProblem] = []
        self.superseded: list[DocumentProblem] = []
        self.applied: list[AppliedPlan] = []
        self._later: dict[Scope, list[AppliedPlan]] = {}
        self._later_lines: set[str] = set()
        for plan in applied:
            if plan.issued > issued and plan.lines:
                self._later_lines |= plan.lines
            elif plan.issued > issued:
                self._later.setdefault(plan.scope, []).append(plan)

    def _key(self, line: LineInForce) -> Key:
        return key_of(self.kind, line.data, line.time.date())

    def compare(self, facts: Sequence[Fact], scopes: Mapping[Scope, Place]) -> Iterator[StatedEvent]:
        """Yield the events of new, changed and withdrawn lines; count these, and the unchanged ones."""
        named: set[Key] = set()
        for fact in facts:
            key = key_of(self.kind, fact.data, fact.day)
            named.add(key)
            if self._is_superseded(fact, key):
                self.superseded.append(DocumentProblem("superseded", fact.place, f"{', '.join(key)} was stated later"))
                yield from self._move_into_replaced(fact, key)
            else:
                yield from self._state(fact, key)
        if self.kind not in PLANS:
            return
        if self.document.replaces:
            yield from self._withdraw_absent(named, scopes)
        names: dict[Scope, set[str]] = {}
        for fact in facts:
            names.setdefault(scope_of(fact.data), set()).add(fact.data["line"])
        starts_on, ends_on = self.document.starts_on, self.document.ends_on
        if starts_on is not None and ends_on is not None:
            self.applied += [
                AppliedPlan(scope, self.issued, starts_on, ends_on, frozenset(lines)) for scope, lines in names.items()
            ]

    def _is_superseded(self, fact: Fact, key: Key) -> bool:
        """Whether a later document, or a later event, says something else of the line of a fact."""
        if fact.day is not None:
            return False  # a movement holds whenever it is stated
        line = self.lines.get(key)
        is_later = line is not None and line.time > self.issued
        if self.kind not in PLANS:
            return is_later
        if key[0] in self._later_lines or self._is_replaced(scope_of(fact.data), fact.data["due"]):
            return True
        if line is None or not is_later:
            return False
        # a later plan has withdrawn it by leaving it out of its horizon, and says nothing of any other day
        was_left_out = not line.data["wafers"] and self._is_replaced(scope_of(line.data), line.data["due"])
        return not was_left_out

    def _is_replaced(self, scope: Scope, due: str) -> bool:
        """Whether a later plan has replaced all lines of a scope that are due on a day."""
        day = date.fromisoformat(due)
        return any(plan.starts_on <= day <= plan.ends_on for plan in self._later.get(scope, ()))

    # ---------------------------------------------------------------- stated lines

    def _move_into_replaced(self, fact: Fact, key: Key) -> Iterator[StatedEvent]:
        """Yield the withdrawal of a line that an older document moves into a horizon that a later one has replaced."""
        if self.kind not in PLANS:
            return
        line = self.lines.get(key)
        if line is None or line.time > self.issued or key[0] in self._later_lines or not line.data["wafers"]:
            return
        yield self._withdrawal(line, key, fact.place)

    def _state(self, fact: Fact, key: Key) -> Iterator[StatedEvent]:
        line = self.lines.get(key)
        if line is None:
            if self.kind in PLANS and not fact.data["wafers"]:
                return  # a zero withdraws, and there is nothing to withdraw
            self.counts["new"] += 1
            yield self._event(fact.data | self._revision(0), key, fact.place, "new", fact.day)
            return
        stated = {name: line.data[name] for name in _IN_NO_COLUMN if name in line.data} | fact.data
        if not self._differs({name: line.data.get(name) for name in _EVIDENCE} | stated, line.data):
            self.counts["unchanged"] += 1
            return
        outcome: Outcome = "changed"
        if self.kind in PLANS and not fact.data["wafers"]:
            outcome = "withdrawn"
        if self.kind == "receipts":
            if not line.event:
                reason = "is stated with other wafers already, by an event that is not known: reverse it first"
                self.problems.append(DocumentProblem("repeated", fact.place, reason))
                return
            yield self._reversal(line, fact.place)
        self.counts[outcome] += 1
        revision = self._revision(int(line.data.get("revision", 0)) + 1)
        yield self._event(stated | revision, key, fact.place, outcome, fact.day, line.event)

    def _differs(self, data: Mapping[str, Any], in_force: Mapping[str, Any]) -> bool:
        """Whether a fact says anything else than the line in force; only fields that the line names are compared."""
        if self.kind in PLANS and data["wafers"] == 0 == in_force["wafers"]:
            return False  # withdrawn is withdrawn
        return any(data.get(name) != value for name, value in in_force.items() if name not in _NOT_COMPARED)

    def _revision(self, revision: int) -> dict[str, int]:
        return {} if self.kind == "receipts" else {"revision": revision}

    def _withdraw_absent(self, named: set[Key], scopes: Mapping[Scope, Place]) -> Iterator[StatedEvent]:
        """Yield a withdrawal of each line in scope and horizon that the document does not name."""
        starts_on, ends_on = self.document.starts_on, self.document.ends_on
        if starts_on is None or ends_on is None:
            return
        self.applied += [AppliedPlan(scope, self.issued, starts_on, ends_on) for scope in scopes]
        for key, line in self.lines.items():
            scope, due = scope_of(line.data), line.data["due"]
            if key in named or scope not in scopes or not starts_on <= date.fromisoformat(due) <= ends_on:
                continue
            if (
                not line.data["wafers"]
                or line.time > self.issued
                or self._is_replaced(scope, due)
                or key[0] in self._later_lines
            ):
                continue
            yield self._withdrawal(line, key, scopes[scope])

    def _withdrawal(self, line: LineInForce, key: Key, place: Place) -> StatedEvent:
        self.counts["withdrawn"] += 1
        data = {**line.data, "wafers": 0, "revision": int(line.data.get("revision", 0)) + 1}
        return self._event(data, key, place, "withdrawn", None)

    # ---------------------------------------------------------------- events

    def _event(
        self, data: dict[str, Any], key: Key, place: Place, outcome: Outcome, day: date | None, replaced: str = ""
    ) -> StatedEvent:
        """Return an event with the id that follows from the document and the line.

        The id of a movement follows from its statement: a sheet that grows from week to week states it once, whichever
        document it is in. So it has no `correlationid`, either.
        """
        if day is None:
            time, cause = self.issued, f"{self.id}|{'|'.join(key)}"
        else:
            content = "|".join(f"{name}={data[name]}" for name in sorted(data))
            time, cause = midnight(day), f"{self.kind}|{content}|{replaced}"
        event = self._envelope(TERMS[self.kind].event, event_id(time, self.source, cause), time, data)
        if day is None:
            event["correlationid"] = self.id
        return StatedEvent(event, place, outcome)

    def _reversal(self, line: LineInForce, place: Place) -> StatedEvent:
        data = {"reversed": line.event, "reason": "the receipt is stated anew by a later sheet"}
        id_ = event_id(self.issued, self.source, f"{self.id}|{line.event}")
        event = self._envelope("event.reversed", id_, self.issued, data)
        return StatedEvent(event | {"correlationid": self.id}, place, "changed")

    def _envelope(self, name: str, id_: str, time: datetime, data: dict[str, Any]) -> dict[str, Any]:
        return {
            "specversion": "1.0",
            "id": id_,
            "source": self.source,
            "type": PREFIX + name + VERSION,
            "time": iso_time(microseconds(time)),
            "datacontenttype": "application/json",
            "data": data,
        }


_NOT_COMPARED = frozenset({"revision", "reason"})
_IN_NO_COLUMN = ("synthetic",)  # a sheet cannot say it, so it stays as it is
_EVIDENCE = ("sources", "known_from", "confidence")  # of earlier figures: a sheet that changes these leaves it out
