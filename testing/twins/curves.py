"""The naive twin of the curves: plain dicts and loops, too slow and too plain to be wrong."""

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from hashlib import sha256

from shared.wire.postings import Measure, PostingBatch

GRADES = ("planned", "material", "manufacturing", "firm", "immediate")
PARTS = ("product", "site", "supplier")

Key = tuple[str, str, str]
Posting = tuple[Key, Measure, int, int]  # key, measure, day since 1970, wafers


def batch_of(
    number: int,
    postings: Sequence[Posting],
    watermarks: dict[str, int] | None = None,
    sources: Iterable[str] = (),
    epoch: int = 7,
) -> PostingBatch:
    """Return the batch `number` of these postings, its names in the order of their first use."""
    names: dict[str, int] = {}
    columns = [[names.setdefault(key[part], len(names)) for key, *_ in postings] for part in range(3)]
    return PostingBatch(
        epoch=epoch,
        batch=number,
        previous=number - 1,
        events=len(postings),
        head=f"head-{number}",
        names=list(names),
        products=columns[0],
        sites=columns[1],
        suppliers=columns[2],
        measures=[int(measure) for _, measure, _, _ in postings],
        days=[day for _, _, day, _ in postings],
        wafers=[wafers for *_, wafers in postings],
        watermarks=watermarks or {},
        sources=list(sources),
    )


class NaiveCurves:
    def __init__(self, start: int, days: int, catalogue: str = "") -> None:
        self.start, self.days, self.catalogue = start, days, catalogue
        self.cells: dict[tuple[Key, Measure], dict[int, int]] = defaultdict(lambda: defaultdict(int))
        self.watermarks: dict[str, int] = {}
        self.sources: set[str] = set()

    def add(self, postings: Iterable[Posting], watermarks: dict[str, int], sources: Iterable[str]) -> None:
        for key, measure, day, wafers in postings:
            cell = max(self.start - 1, min(day, self.start + self.days))
            self.cells[key, measure][cell] += wafers
        for source, day in watermarks.items():
            self.watermarks[source] = max(day, self.watermarks.get(source, -(10**9)))
        self.sources |= {*sources, *watermarks}

    def keys(self) -> list[Key]:
        return sorted({key for (key, _), cells in self.cells.items() if any(cells.values())})

    def groups(self, by: Sequence[str], only: dict[str, str]) -> dict[tuple[str, ...], list[Key]]:
        found: dict[tuple[str, ...], list[Key]] = defaultdict(list)
        for key in self.keys():
            parts = dict(zip(PARTS, key, strict=True))
            if all(parts[part] == name for part, name in only.items()):
                found[tuple(parts[part] for part in by)].append(key)
        return dict(sorted(found.items()))

    def sum(self, keys: Iterable[Key], measures: Iterable[Measure], after: int, until: int) -> int:
        """Wafers of days in (after, until] that lie inside the horizon."""
        total = 0
        for key in keys:
            for measure in measures:
                for day, wafers in self.cells[key, measure].items():
                    if after < day <= until and self.start <= day < self.start + self.days:
                        total += wafers
        return total

    def ever(self, keys: Iterable[Key], measure: Measure, until: int) -> int:
        """Wafers of all days up to `until`, those before the horizon always, never those beyond it."""
        return sum(
            wafers
            for key in keys
            for day, wafers in self.cells[key, measure].items()
            if day <= max(until, self.start - 1) and day < self.start + self.days
        )

    def stages(self, keys: list[Key], day: int) -> dict[str, int]:
        m = {measure: self.ever(keys, measure, day) for measure in Measure}
        return {
            "wip": m[Measure.STARTED] - m[Measure.SCRAPPED] - m[Measure.FINISHED] - m[Measure.YIELD_VARIANCE],
            "finished": m[Measure.FINISHED] - m[Measure.DISPATCHED],
            "in_transit": m[Measure.DISPATCHED] - m[Measure.RECEIVED] - m[Measure.DAMAGED] - m[Measure.LOST]
            + m[Measure.DIVERTED_IN] - m[Measure.DIVERTED_OUT],
            "on_hand": m[Measure.RECEIVED] + m[Measure.OPENED] + m[Measure.TRANSFERRED_IN]
            - m[Measure.TRANSFERRED_OUT] - m[Measure.RETURNED] - m[Measure.CONSUMED] + m[Measure.ADJUSTED],
        }  # fmt: skip

    def open_commit(self, keys: list[Key]) -> list[int]:
        return [
            sum(wafers for key in keys for wafers in self.cells[key, Measure[f"OPEN_{grade.upper()}"]].values())
            for grade in GRADES
        ]

    def rolling(
        self, day: int, window: int, basis: str, by: Sequence[str], firmness: str | None, only: dict[str, str]
    ) -> list[tuple[tuple[str, ...], int, int, int]]:
        rows = []
        for label, keys in self.groups(by, only).items():
            if firmness is not None:
                supplied = [Measure[f"COMMITTED_{grade.upper()}"] for grade in GRADES[GRADES.index(firmness) :]]
            else:
                supplied = [Measure.STARTED if basis == "start" else Measure.RECEIVED]
            required = Measure.REQUIRED_START if basis == "start" else Measure.REQUIRED
            supply = self.sum(keys, supplied, day - window, day)
            demand = self.sum(keys, [required], day - window, day)
            rows.append((label, supply, demand, supply - demand))
        return rows

    def project(
        self, firmness: str, today: int, past_due: bool, only: dict[str, str]
    ) -> list[tuple[tuple[str, ...], int, int, list[int], int | None, int, int]]:
        """(product, site), on hand, past due supply, balances, first short day, shortage on it, greatest shortage."""
        rows = []
        expected = [Measure.TRANSIT_DUE] + [
            Measure[f"OPEN_{grade.upper()}"] for grade in GRADES[GRADES.index(firmness) :]
        ]
        for label, keys in self.groups(("product", "site"), only).items():
            on_hand = self.stages(keys, today - 1)["on_hand"]
            backlog = self.backlog(keys, today - 1)
            overdue = sum(self.ever(keys, measure, today - 1) for measure in expected)
            balances = []
            for day in range(today, self.start + self.days):
                receipts = self.sum(keys, expected, today - 1, day)
                arrived = self.sum(
                    keys, [Measure.RECEIVED, Measure.OPENED, Measure.TRANSFERRED_IN, Measure.ADJUSTED], today - 1, day
                ) - self.sum(keys, [Measure.TRANSFERRED_OUT, Measure.RETURNED], today - 1, day)
                required = self.required(keys, day) - self.required(keys, today - 1)
                balances.append(on_hand - backlog + receipts + arrived + past_due * overdue - required)
            short = [n for n, balance in enumerate(balances) if balance < 0]
            rows.append(
                (
                    label,
                    on_hand,
                    overdue,
                    balances,
                    today + short[0] if short else None,
                    -balances[short[0]] if short else 0,
                    max([0, *(-balance for balance in balances)]),
                )
            )
        return rows

    def short_since(self, label: tuple[str, ...], today: int) -> int | None:
        """The first day of the horizon's last spell of less on hand than owed; None if not short yesterday."""
        keys = self.groups(("product", "site"), {})[label]
        first = None
        for day in range(today - 1, self.start - 1, -1):
            if self.stages(keys, day)["on_hand"] >= self.backlog(keys, day):
                break
            first = day
        return first if today > self.start else None

    def cover(self, label: tuple[str, ...], today: int) -> tuple[int | None, int, int, int]:
        """Whole days of demand at hand, wafers left, the next day's demand; the backorder."""
        keys = self.groups(("product", "site"), {})[label]
        backorder = self.backlog(keys, today - 1)
        left = self.stages(keys, today - 1)["on_hand"] - backorder
        for day in range(today, self.start + self.days):
            next_ = self.required(keys, day) - self.required(keys, day - 1)
            if left < next_:
                return day - today, max(0, left), next_, backorder
            left -= next_
        return None, max(0, left), 0, backorder

    def required(self, keys: list[Key], until: int) -> int:
        """What orders require up to a day; of wafers consumed early, on the day of their consumption."""
        return self.ever(keys, Measure.REQUIRED, until) + self.ever(keys, Measure.REQUIRED_MOVED, until)

    def backlog(self, keys: list[Key], until: int) -> int:
        """What is owed at the end of a day: consumption pays what is due by its day, and nothing later."""
        owed = due = consumed = 0
        for day in range(self.start - 1, until + 1):
            due_before, consumed_before = due, consumed
            due, consumed = self.required(keys, day), self.ever(keys, Measure.CONSUMED, day)
            owed = max(0, owed + due - due_before - (consumed - consumed_before))
        return owed

    def month(self, month: date, only: dict[str, str], today: int | None = None) -> dict[str, object]:
        epoch = date(1970, 1, 1)
        after = (month.replace(day=1) - timedelta(days=1) - epoch).days
        until = ((month.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1) - epoch).days
        keys = [key for keys in self.groups((), only).values() for key in keys]
        started, received = (self.sum(keys, [m], after, until) for m in (Measure.STARTED, Measure.RECEIVED))
        start_by, due = (self.sum(keys, [m], after, until) for m in (Measure.REQUIRED_START, Measure.REQUIRED))
        opened = self.ever(keys, Measure.OPENED, until)
        since = self.start if today is None else today
        plans = {"in_transit": Measure.TRANSIT_DUE} | {each: Measure[f"OPEN_{each.upper()}"] for each in GRADES}
        to_come = {name: self.sum(keys, [plan], max(after, since - 1), until) for name, plan in plans.items()}
        supply_to_come = self.sum(keys, plans.values(), since - 1, until)
        is_known = today is None or after + 1 < today
        moves = (Measure.DISPATCHED, Measure.RECEIVED)
        lots = (Measure.STARTED, Measure.SCRAPPED, Measure.FINISHED, Measure.YIELD_VARIANCE)
        moving = [key for key in keys if any(self.ever([key], each, self.start + self.days) for each in lots + moves)]
        silent = [key[2] for key in moving if not self.reports(key, lots)]
        is_known = is_known and (len(silent) < len(moving) or not set(silent) - {"unattributed"})
        return {
            "agreed": self.sum(keys, [Measure.AGREED], after, until),
            "demand": start_by,
            "started": started if is_known else None,
            "start_net": started - start_by if is_known else None,
            "start_gap": opened
            + self.ever(keys, Measure.STARTED, until)
            - self.ever(keys, Measure.REQUIRED_START, until)
            if is_known
            else None,
            "forecast": self.sum(keys, [Measure.FORECAST], after, until),
            "due": due,
            "committed": {
                grade: self.sum(keys, [Measure[f"COMMITTED_{grade.upper()}"]], after, until) for grade in GRADES
            },
            "received": received,
            "to_come": to_come,
            "receipt_net": received + sum(to_come.values()) - due,
            "receipt_gap": opened
            + self.ever(keys, Measure.RECEIVED, until)
            + supply_to_come
            - self.ever(keys, Measure.REQUIRED, until),
        }

    def reports(self, key: Key, measures: Sequence[Measure]) -> bool:
        """Whether a supplier has wafers of a product in some measure, ever, at all sites."""
        keys = [each for each in self.keys() if (each[0], each[2]) == (key[0], key[2])]
        return any(self.ever(keys, measure, self.start + self.days) for measure in measures)

    def state_hash(self) -> str:
        def text(name: str) -> bytes:
            return struct.pack("<q", len(name.encode("utf-8"))) + name.encode("utf-8")

        content = text("waferline.state.v1") + text(self.catalogue) + struct.pack("<qq", self.start, self.days)
        content += struct.pack("<q", len(self.sources))
        for source in sorted(self.sources):
            content += text(source)
        content += struct.pack("<q", len(self.watermarks))
        for source in sorted(self.watermarks):
            content += text(source) + struct.pack("<q", self.watermarks[source])
        for key in self.keys():
            for measure in sorted(Measure, key=lambda each: each.name):
                cells = {day: wafers for day, wafers in self.cells[key, measure].items() if wafers != 0}
                if cells:
                    content += b"".join(text(name) for name in key) + text(measure.name) + struct.pack("<q", len(cells))
                    for day in sorted(cells):
                        content += struct.pack("<qq", day, cells[day])
        return sha256(content).hexdigest()
