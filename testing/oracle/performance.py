"""Commits kept by suppliers, as the oracle works it out, and what they have in process.

Settled where the documents leave it open:

- A line's promise at a lag of L days is the first of its statements that was in force at the end of the day L days
  before the day that it names. It is one at each lag, or none. What was withdrawn (0 wafers) promises nothing, but
  was altered.
- Due, on time in full, and the bias are of the promises at a lag for days up to complete_through: of lag 0, unless
  another is asked for.
- What was received of a shipment goes to its parts in their order, what is damaged or lost takes its place, on one day
  after what came in good order; a part's wafers are its commit's. What was received beyond all that was sent goes to
  the last part.
- A commit is judged once its grace is over: strictly from its day on, with grace so many days later as the programme
  tolerates. Days early that it does not tolerate count for nothing; strictly, however early is in time.
- Received is all that ever came to hand under the supplier by complete_through.
- A statement answers demand if it follows from an event of an order or a forecast of its product and site that holds,
  and none about its line before it follows from the same one. What answers is altered apart from what does not.
- A commit is altered by the difference of its wafers, and by the greater of both where its day differs. That is
  counted of the lines whose day in force is over, over the wafers in force of these. What is only replaced is found
  wafer by wafer, among all lines of the supplier, at the product and site that the lowering statement names.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from testing.oracle.book import Book, CloudEvent, Key, day, day_of, key_of, rank

Row = dict[str, Any]

LAGS = (0, 28, 56, 91, 182)
REPLACED_WITHIN = 31  # days


class Judge:
    """The performance of the suppliers of a log."""

    def __init__(self, book: Book, through: int) -> None:
        self.book, self.through = book, through
        self.commits = book.statements("supply.committed", "line")
        self.answers = self._answers()
        self.replaced = self._replaced()
        self.graces = {"strict": (None, 0, 0), "tolerant": book.tolerance}  # days early and late, percent

    def promise(self, statements: Sequence[CloudEvent], lag: int) -> CloudEvent | None:
        """Return the statement about a line that was first in force so many days before the day that it names."""
        reached = []
        for statement in statements:
            on = day(statement["data"]["due"]) - lag
            published = [each for each in statements if day_of(each) <= on]
            if published and max(published, key=rank) is statement:
                reached.append((on, rank(statement), statement))
        return min(reached, key=lambda each: each[:2])[2] if reached else None

    def promises(self, supplier: str, product: str, lag: int) -> dict[tuple[str, str], CloudEvent]:
        """Return the promises at a lag for days that are over, by line."""
        found = {}
        for line, statements in self.commits.items():
            promised = self.promise(statements, lag)
            if promised is None or day(promised["data"]["due"]) > self.through:
                continue
            if (promised["data"]["supplier"], promised["data"]["product"]) == (supplier, product):
                found[line] = promised
        return found

    def receipts(self, supplier: str, product: str) -> list[tuple[int, int]]:
        """Return day and wafers of what came to hand."""
        return [
            (each.day, each.wafers)
            for each in self.book.movements
            if each.what == "received"
            and (each.key[2], each.key[0]) == (supplier, product)
            and each.day <= self.through
        ]

    def received_for(self, line: tuple[str, str], until: int, since: int | None = None) -> int:
        """Return what came by a day, and not before another, of the wafers that were sent on a commit."""
        if since is not None:
            return self.received_for(line, until) - self.received_for(line, since - 1)
        found = 0
        for shipment, parts in self.book.parts.items():
            rests = [part.wafers for part in parts]
            ends = [end for end in self.book.ends.get(shipment, []) if end.day <= until]
            good, gone = ([(e.day, 0, e.received) for e in ends], [(e.day, 1, e.damaged + e.lost) for e in ends])
            for _, is_gone, wafers in sorted(good + gone):
                left = wafers
                for n, part in enumerate(parts):
                    taken = left if n == len(parts) - 1 else min(left, rests[n])
                    rests[n] -= taken
                    left -= taken
                    if not is_gone and part.commit == line and part.key[0] == self._product(line):
                        found += taken
        return found

    def _product(self, line: tuple[str, str]) -> str:
        return str(self.commits[line][-1]["data"]["product"])

    # ---------------------------------------------------------------- the rows

    def row(self, supplier: str, product: str) -> Row:
        due = self.promises(supplier, product, 0)
        in_force = {
            line: event
            for line, event in self.book.commits.items()
            if (event["data"]["supplier"], event["data"]["product"]) == (supplier, product)
            and day(event["data"]["due"]) <= self.through
        }
        committed = sum(event["data"]["wafers"] for event in due.values())
        received = sum(wafers for _, wafers in self.receipts(supplier, product))
        wafers_in_force = sum(each["data"]["wafers"] for each in in_force.values())
        return {
            "product": product,
            "wafers_due": committed,
            "wafers_received": received,
            "churn": ratio(sum(self.churn(line, answers=False) for line in in_force), wafers_in_force),
            "answered": ratio(sum(self.churn(line, answers=True) for line in in_force), wafers_in_force),
            "otif": {grace: self._on_time(due, *each) for grace, each in self.graces.items()},
            "lags": [self._lag(supplier, product, lag) for lag in LAGS],
        }

    def churn(self, line: tuple[str, str], *, answers: bool) -> int:
        altered = 0
        for before, after in zip(self.commits[line], self.commits[line][1:], strict=False):
            was, is_ = before["data"]["wafers"], after["data"]["wafers"]
            if ((line[0], after["id"]) in self.answers) is answers:
                altered += abs(is_ - was) if before["data"]["due"] == after["data"]["due"] else max(was, is_)
        return altered - self.replaced[line, answers]

    def _answers(self) -> set[tuple[str, str]]:
        demand = {(event["id"], *key_of(event)[:2]) for event in self.book.of("demand.required", "demand.forecast")}
        found = set()
        for line, (first, *others) in self.commits.items():
            causes = [first.get("causationid")]
            for event in others:
                cause = event.get("causationid")
                if cause not in causes and (cause, *key_of(event)[:2]) in demand:
                    found.add((line[0], event["id"]))
                causes.append(cause)
        return found

    def _replaced(self) -> Counter[tuple[tuple[str, str], bool]]:
        """Return the wafers of each line, answers apart, that new lines replaced on the day of their lowering."""
        new: dict[tuple[Key, int], list[int]] = defaultdict(list)  # the due day of each wafer
        lowered = []
        for line, statements in self.commits.items():
            first = min(day_of(each) for each in statements)
            stood = [each for each in statements if day_of(each) == first][-1]
            new[key_of(stood), first] += [day(stood["data"]["due"])] * stood["data"]["wafers"]
            for before, after in pairwise(statements):
                less = before["data"]["wafers"] - after["data"]["wafers"]
                if less > 0 and before["data"]["due"] == after["data"]["due"] and day_of(after) != first:
                    answers = (line[0], after["id"]) in self.answers
                    lowered.append((day(after["data"]["due"]), line, answers, key_of(after), day_of(after), less))
        found: Counter[tuple[tuple[str, str], bool]] = Counter()
        for due, line, answers, key, on, less in sorted(lowered):
            near = [each for each in sorted(new[key, on]) if abs(each - due) <= REPLACED_WITHIN][:less]
            for each in near:
                new[key, on].remove(each)
            found[line, answers] += len(near)
        return found

    def _on_time(self, due: dict[tuple[str, str], CloudEvent], early: int | None, days: int, percent: int) -> Row:
        kept = judged = 0
        for line, event in due.items():
            if event["data"]["wafers"] == 0:
                continue
            last = day(event["data"]["due"]) + days
            if last <= self.through:
                judged += 1
                came = self.received_for(line, last, None if early is None else day(event["data"]["due"]) - early)
                kept += came * 100 >= event["data"]["wafers"] * (100 - percent)
        return {"days_early": early, "days_of_grace": days, "percent_of_grace": percent} | ratio(kept, judged)

    def _lag(self, supplier: str, product: str, lag: int) -> Row:
        promised_then = self.promises(supplier, product, lag)
        promises = [event["data"] for event in promised_then.values()]
        due = sorted((day(promised["due"]), promised["wafers"]) for promised in promises if promised["wafers"])
        receipts = self.receipts(supplier, product)
        received = sum(wafers for _, wafers in receipts)
        committed = sum(wafers for _, wafers in due)
        slips = []
        for on in sorted({on for on, _ in due}):
            level = sum(wafers for each, wafers in due if each <= on)
            reached = [each for each, _ in sorted(receipts) if sum(w for d, w in receipts if d <= each) >= level]
            arrival = reached[0] if reached else self.through
            slips.append((arrival - on, sum(wafers for each, wafers in due if each == on)))
        wafer_days = sum(days * wafers for days, wafers in slips)
        return {
            "lag_days": lag,
            "committed": committed,
            "otif": {grace: self._on_time(promised_then, *each) for grace, each in self.graces.items()},
            "bias": ratio(received - committed, committed),
            "slip": {
                "wafer_days": wafer_days,
                "mean_days": round(wafer_days / committed, 1) if committed else None,
                "greatest_days": max((days for days, _ in slips), default=0),
                "open_wafers": max(0, committed - received),
            },
        }

    # ---------------------------------------------------------------- in process

    def in_process(self, supplier: str, product: str) -> Row:
        """Return what was started, finished and is in process by complete_through."""
        sums = {
            what: sum(
                each.wafers
                for each in self.book.movements
                if each.what == what and (each.key[2], each.key[0]) == (supplier, product) and each.day <= self.through
            )
            for what in ("started", "finished", "scrapped", "variance")
        }
        if not any(sums.values()):
            return dict.fromkeys(("started", "finished", "wip", "scrap", "yield"))
        return {
            "scrap": ratio(sums["scrapped"], sums["started"]),
            "yield": ratio(sums["finished"], sums["finished"] + sums["variance"]),
            "started": sums["started"],
            "finished": sums["finished"],
            "wip": sums["started"] - sums["finished"] - sums["scrapped"] - sums["variance"],
        }


def ratio(numerator: int, denominator: int) -> Row:
    percent = (2000 * numerator + denominator) // (2 * denominator) / 10 if denominator else None  # half up
    return {"numerator": numerator, "denominator": denominator, "percent": percent}
