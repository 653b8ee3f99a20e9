"""The log counted again in plain Python, from an export: it imports nothing of Waferline.

It reads the sealed documents of `waferline export --format jsonl` as docs/proof.md defines them, and counts as
docs/numbers.md says. An event that it does not know stops it: nothing is left out unseen.
"""

import json
from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, NamedTuple

Group = tuple[str, str]
Key = tuple[str, str, str]

GRADES = ("planned", "material", "manufacturing", "firm", "immediate")
NOBODY = "unattributed"
_EPOCH = date(1970, 1, 1)
_SAY_NOTHING_OF_WAFERS = {
    "site.declared", "phase.planned", "product.declared", "platform.declared", "programme.declared", "source.advanced",
    "party.declared", "milestone.reported", "alert.acknowledged", "note.added",
}  # fmt: skip
_OF_LINES = {
    "supply.committed", "demand.required", "demand.forecast", "supply.agreed", "shipment.revised",
}  # fmt: skip


class Fact(NamedTuple):
    """An event of the log."""

    source: str
    id: str
    name: str
    time: int
    line: str
    day: int
    wafers: int
    revision: int
    key: Key
    rest: dict[str, Any]

    @property
    def on(self) -> int:
        """The day on which it happened, since 1970."""
        return self.time // 86_400_000_000


def day_of(text: str) -> int:
    """Return the number of a day, since 1970."""
    return (date.fromisoformat(text) - _EPOCH).days


def iso(day: int) -> str:
    """Return a numbered day as text."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def read_export(documents: Iterable[bytes]) -> list[Fact]:
    """Return the events of sealed documents, one after another, that are not reversed."""
    facts, undone, left = [], set(), 0
    for line in documents:
        parsed = json.loads(line)
        if isinstance(parsed, dict):
            left = parsed["events"]
            continue
        if not left:
            continue  # a refusal
        left -= 1
        source, _, id_, name, time, subject, day, wafers, revision, product, site, supplier, rest, *_ = parsed
        more = json.loads(rest) if rest else {}
        if name == "event.reversed":
            undone.add((source, more["reversed"]))
        facts.append(Fact(source, id_, name, time, subject, day, wafers, revision, (product, site, supplier), more))
    return [fact for fact in facts if (fact.source, fact.id) not in undone and fact.name != "event.reversed"]


class Recount:
    """What the facts of a log add up to at the end of its last complete day."""

    def __init__(self, facts: Iterable[Fact], *, through: date, first: date, last: date) -> None:
        self.today = (through - _EPOCH).days + 1
        self.first, self.last = (first - _EPOCH).days, (last - _EPOCH).days  # of the horizon
        self.lines: dict[str, dict[tuple[str, str], Fact]] = {name: {} for name in _OF_LINES}
        self.moved: dict[Key, Counter[tuple[str, int]]] = defaultdict(Counter)  # what, and on which day
        self.sent: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        self.ended: Counter[tuple[str, str]] = Counter()
        self.served: dict[tuple[str, str], list[Fact]] = defaultdict(list)
        counts: list[Fact] = []
        for fact in facts:
            self._take(fact, counts)
        self._adjust(counts)

    def _take(self, fact: Fact, counts: list[Fact]) -> None:
        name, key, rest = fact.name, fact.key, fact.rest
        if name == "shipment.dispatched":
            self.sent[fact.source, fact.line].append(fact)
            self.moved[key]["dispatched", fact.on] += fact.wafers
        elif name in _OF_LINES:
            held = self.lines[name].get((fact.source, fact.line))
            if held is None or (held.revision, held.time, held.id) < (fact.revision, fact.time, fact.id):
                self.lines[name][fact.source, fact.line] = fact
        elif name in ("shipment.received", "shipment.lost"):
            good, damaged = (fact.wafers, rest["wafers_damaged"]) if name == "shipment.received" else (0, 0)
            self.ended[rest["owner"], fact.line] += fact.wafers + damaged
            self.moved[key]["received", fact.on] += good
            self.moved[key]["gone", fact.on] += fact.wafers + damaged - good
        elif name == "stock.transferred":
            self.moved[key]["transferred", fact.on] -= fact.wafers
            self.moved[key[0], rest["to_site"], key[2]]["transferred", fact.on] += fact.wafers
        elif name == "stock.counted":
            counts.append(fact)
        elif name in ("lot.started", "lot.scrapped", "lot.finished", "stock.opened", "wafers.consumed"):
            self.moved[key][name.partition(".")[2], fact.on] += fact.wafers
            self.moved[key]["variance", fact.on] += rest.get("yield_variance", 0)
            if "order" in rest:
                self.served[fact.source, rest["order"]].append(fact)
        elif name not in _SAY_NOTHING_OF_WAFERS:
            raise ValueError(f"{name}: the recount does not know this event")

    def _adjust(self, counts: list[Fact]) -> None:
        """Add what the counts say beyond the movements; of one key and day the last count holds."""
        in_force: dict[tuple[int, bool, Key], Fact] = {}
        for fact in sorted(
            counts, key=lambda each: (each.revision or each.rest.get("revision", 0), each.time, each.id)
        ):
            in_force[fact.on, fact.key[2] == NOBODY, fact.key] = fact
        for (on, is_whole, key), fact in sorted(in_force.items()):
            keys = [each for each in self.moved if each[:2] == key[:2]] if is_whole else [key]
            held = sum(self._on_hand(each, on) for each in keys)
            self.moved[key]["adjusted", on] += fact.wafers - held

    # ---------------------------------------------------------------- wafers in stages

    def total(self, key: Key, what: str, through: int, since: int = -(10**9)) -> int:
        """Return the wafers moved one way in the days after one, up to another."""
        return sum(wafers for (each, on), wafers in self.moved[key].items() if each == what and since < on <= through)

    def _on_hand(self, key: Key, through: int) -> int:
        signs = {"opened": 1, "received": 1, "transferred": 1, "adjusted": 1, "consumed": -1}
        return sum(signs.get(what, 0) * wafers for (what, on), wafers in self.moved[key].items() if on <= through)

    def stages(self) -> dict[tuple[str, str], dict[str, int]]:
        """Return the wafers of each product and supplier in each stage, and those that left for good."""
        found: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        through = self.today - 1
        for key in list(self.moved):
            of = found[key[0], key[2]]
            started, scrapped, finished, varied, dispatched, received, gone, consumed = (
                self.total(key, what, through)
                for what in (
                    "started",
                    "scrapped",
                    "finished",
                    "variance",
                    "dispatched",
                    "received",
                    "gone",
                    "consumed",
                )
            )
            of.update(wip=started - scrapped - finished - varied, finished=finished - dispatched)
            of.update(in_transit=dispatched - received - gone, on_hand=self._on_hand(key, through))
            of.update(started=started, left=scrapped + varied + gone + consumed)
            of.update(came=sum(self.total(key, what, through) for what in ("opened", "transferred", "adjusted")))
        return {pair: dict(stages) for pair, stages in found.items()}

    # ---------------------------------------------------------------- supply to come, and demand

    def to_come(self) -> list[tuple[Key, int, str, int]]:
        """Return key, day, `in_transit` or the grade, and wafers of all that is under way or committed and not sent."""
        found, of_commit = list[tuple[Key, int, str, int]](), Counter[tuple[str, str]]()
        for shipment, parts in self.sent.items():
            revised, ended = self.lines["shipment.revised"].get(shipment), self.ended[shipment]
            for part in sorted(parts, key=lambda each: (each.on, each.day, each.key, each.id)):
                taken = min(ended, part.wafers)
                ended -= taken
                site, eta = (part.key[1], part.day) if revised is None else (revised.key[1], revised.day)
                found.append(((part.key[0], site, part.key[2]), eta, "in_transit", part.wafers - taken))
                commit = self.lines["supply.committed"].get((part.source, part.rest["commit"]))
                if commit is not None and commit.key[::2] == part.key[::2]:
                    of_commit[part.source, part.rest["commit"]] += part.wafers
        for name, commit in self.lines["supply.committed"].items():
            found.append((commit.key, commit.day, commit.rest["firmness"], max(0, commit.wafers - of_commit[name])))
        return found

    def due(self) -> list[tuple[Key, int, int]]:
        """Return key, day and wafers of each order, those consumed for it before its day on the day of that."""
        found = []
        for name, order in self.lines["demand.required"].items():
            left = on_its_day = order.wafers
            for used in sorted(self.served[name], key=lambda each: each.on):
                if used.key[:2] != order.key[:2]:
                    continue
                served = min(left, used.wafers)
                early = served if used.on < order.day else 0
                left, on_its_day = left - served, on_its_day - early
                found.append((used.key, used.on, early + used.wafers - served))
            found.append((order.key, order.day, on_its_day))
        return found

    # ---------------------------------------------------------------- months

    def months(self, first: date, last: date) -> list[dict[str, Any]]:
        """Return the months of all sites: what was ordered, started, committed and received, and the two gaps."""
        orders, rows = list(self.lines["demand.required"].values()), []
        start_by = [(day_of(each.rest["start_by"]), each.wafers) for each in orders]
        due = [(each.day, each.wafers) for each in orders]
        ahead = [(name, on, wafers) for _, on, name, wafers in self.to_come() if on >= self.today]
        moved: dict[str, Counter[int]] = defaultdict(Counter)
        for movements in self.moved.values():
            for (what, on), wafers in movements.items():
                moved[what][on] += wafers
        month = first
        while month <= last:
            begin = (month - _EPOCH).days
            end = begin + monthrange(month.year, month.month)[1] - 1

            def within(pairs: Iterable[tuple[int, int]], since: int = begin, until: int = end) -> int:
                return sum(wafers for on, wafers in pairs if since <= on <= until)

            coming = {
                name: within([(on, wafers) for each, on, wafers in ahead if each == name])
                for name in ("in_transit", *GRADES)
            }
            started, received = (within(moved[what].items()) for what in ("started", "received"))
            opened, ever_started, ever_received = (
                within(moved[what].items(), -(10**9)) for what in ("opened", "started", "received")
            )
            supplied = opened + ever_received + within([each[1:] for each in ahead], -(10**9))
            rows.append(
                {
                    "month": f"{month:%Y-%m}",
                    "demand": within(start_by),
                    "started": started,
                    "gap of starts": opened + ever_started - within(start_by, -(10**9)),
                    "agreed": sum(
                        each.wafers
                        for each in self.lines["supply.agreed"].values()
                        if each.day <= end and begin <= day_of(each.rest["ends_on"])
                    ),
                    "due": within(due),
                    "forecast": within([(each.day, each.wafers) for each in self.lines["demand.forecast"].values()]),
                    "committed": {
                        grade: within(
                            [(each.day, each.wafers) for each in self.lines["supply.committed"].values()
                             if each.rest["firmness"] == grade]
                        )
                        for grade in GRADES
                    },
                    "received": received,
                    "to_come": coming,
                    "gap": supplied - within(due, -(10**9)),
                }
            )  # fmt: skip
            month = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        return rows

    # ---------------------------------------------------------------- shortages

    def shortages(self, firmness: str) -> dict[Group, dict[str, Any]]:
        """Return for each product at a site that runs short when, and by how many wafers; from today on."""
        counted = {"in_transit", *GRADES[GRADES.index(firmness) :]}
        change: dict[Group, Counter[int]] = defaultdict(Counter)
        due: dict[Group, Counter[int]] = defaultdict(Counter)
        for key, on, wafers in self.due():
            due[key[:2]][on] += wafers
        for key, on, name, wafers in self.to_come():
            if name in counted and self.today <= on <= self.last:
                change[key[:2]][on] += wafers
        found = {}
        for group in sorted({*due, *change, *(key[:2] for key in self.moved)}):
            stock = sum(self._on_hand(key, self.today - 1) for key in list(self.moved) if key[:2] == group)
            used: Counter[int] = Counter()
            for key in self.moved:
                if key[:2] == group:
                    for (what, on), wafers in self.moved[key].items():
                        used[on] += wafers if what == "consumed" else 0
            owed = 0
            for on in sorted(day for day in {*due[group], *used} if day < self.today):
                owed = max(0, owed + due[group][on] - used[on])
            balance, days = stock - owed, {}
            for on in sorted({*change[group], *due[group]}):
                if self.today <= on <= self.last:
                    balance += change[group][on] - due[group][on]
                    days[on] = balance
            if stock < owed:
                days.setdefault(self.today, stock - owed)
            short = {on: -wafers for on, wafers in sorted(days.items()) if wafers < 0}
            if short:
                first, worst = min(short), max(short.values())
                found[group] = {
                    "first_short_day": iso(first),
                    "first_shortage": short[first],
                    "shortage": worst,
                    "worst_day": iso(next(on for on, wafers in short.items() if wafers == worst)),
                    "on_hand": stock,
                    "short_now": max(0, owed - stock),
                }
        return found
