"""Plays a random log, and compares every number that is answered over HTTP with the oracle's."""

from calendar import monthrange
from collections.abc import Sequence
from datetime import date
from typing import Any

from testing.fold import Horizon
from testing.oracle.book import NOWHERE, Book, iso
from testing.oracle.performance import LAGS, Judge
from testing.oracle.planning import Planner
from testing.oracle.populated import Megawatts
from testing.oracle.worlds import DAYS, START, World
from testing.played import CloudEvent, numbered, play, shuffled

Row = dict[str, Any]
ABSENT = "–"
NOT_NUMBERS = frozenset({"synthetic", "acknowledged", "acknowledged_before", "notes"})


class Differs(AssertionError):
    """An answer differs from the oracle's."""


class Comparison:
    """The differences between what is answered and what the oracle says, and how many numbers were compared."""

    def __init__(self, log: Sequence[CloudEvent]) -> None:
        self.differences: list[str] = []
        self.numbers = 0
        self.played = play(log, horizon=Horizon(START, DAYS))
        self.book = Book(log)
        self.planner = Planner(self.book, START.toordinal(), DAYS)

    def compare(self) -> "Comparison":
        state = self.played.ask("/state")
        self.same("/state", "complete_through", iso(self.planner.through), state["complete_through"])
        if not self.differences and self.planner.through is not None:
            self.balances()
            self.shortages()
            self.cover()
            self.promises()
            self.months()
            self.sites()
            self.megawatts = Megawatts(self.book, self.planner.today)
            self.timelines()
            self.performance()
            self.suppliers()
        return self

    def expect_none(self) -> None:
        """Raise `Differs` with the first differences, if there are any."""
        if self.differences:
            raise Differs("\n".join([f"{len(self.differences)} differences", *self.differences[:10]]))

    # ---------------------------------------------------------------- the views

    def balances(self) -> None:
        through = self.planner.today - 1
        for by in ((), ("site",), ("supplier", "product"), ("product", "site", "supplier")):
            for on, window, basis, firmness in (
                (through, 30, "start", None),
                (through - 40, 7, "receipt", None),
                (through, 365, "receipt", "firm"),
            ):
                query = {"by": ",".join(by), "day": iso(on), "window": window, "basis": basis, "firmness": firmness}
                rows = self.played.rows("/balances", **{name: value for name, value in query.items() if value})
                self.rows("/balances", query, by, self.planner.balances(by, on, window, basis, firmness), rows)

    def shortages(self) -> None:
        for firmness in ("planned", "firm"):
            for past_due in (False, True):
                query = {"firmness": firmness, "past_due": str(past_due).lower()}
                rows = self.played.rows("/shortages", **query)
                mine = self.planner.shortages(firmness, past_due=past_due)
                self.rows("/shortages", query, ("product", "site"), mine, rows)
                ranked = [
                    {name: row[name] for name in ("product", "site")}
                    for row in self.played.rows("/shortages", order="act_by", **query)
                ]
                mine = self.planner.to_act_on(firmness, past_due=past_due)
                self.same("/shortages", f"order=act_by {query}", mine, ranked)
                gaps = self.played.ask("/shortages", **query)["forecast_gaps"]
                mine = self.planner.forecast_gaps(firmness, past_due=past_due)
                self.same("/shortages", f"forecast_gaps {query}", mine, gaps)

    def cover(self) -> None:
        rows = self.played.rows("/cover", fill_rate="true")
        self.same("/cover", "", [], [row for row in rows if row["site"] == NOWHERE])
        rows = [row for row in rows if row["site"] != NOWHERE]
        for row in rows:
            served = row.pop("fill_rate")
            served.pop("percent")
            due = dict(
                zip(("numerator", "denominator"), self.planner.fill_rate((row["product"], row["site"])), strict=True)
            )
            self.same("/cover", f"fill_rate {row['product']} {row['site']}", due, served)
        self.rows("/cover", {}, ("product", "site"), self.planner.cover(), rows)

    def promises(self) -> None:
        for bucket, size, buckets, firmness, frozen in (
            ("week", 7, 60, "planned", 0), ("week", 7, 60, "material", 28), ("day", 1, 60, "firm", 20),
        ):  # fmt: skip
            query = {
                "at": "sites",
                "bucket": bucket,
                "buckets": buckets,
                "firmness": firmness,
                "frozen_days": frozen,
                "tradeoff_days": 91,
            }
            rows = self.played.rows("/atp", **query)
            mine = self.planner.promises(size, buckets, firmness, frozen, 91)
            whole = self.planner.today + size * buckets >= self.planner.end
            self.rows("/atp" if whole else "/atp of few buckets", query, ("product", "site", "from"), mine, rows)

    def months(self) -> None:
        first, last = date(2026, 1, 1), date(2026, 12, 1)
        product, site = self.planner.groups[0]
        for only in ({}, {"product": product}, {"site": site}):

            def kept(key: tuple[str, str, str], only: dict[str, str] = only) -> bool:
                return only.get("product", key[0]) == key[0] and only.get("site", key[1]) == key[1]

            rows = self.played.ask("/months", **{"from": f"{first:%Y-%m}", "to": f"{last:%Y-%m}"}, **only)["rows"]
            self.rows("/months", only, ("month",), self.planner.months(first, last, kept), rows)

    def sites(self) -> None:
        mine = self.planner.sites("planned")
        named = {name for row in mine for name in row}
        rows = [{name: row[name] for name in named} for row in self.played.rows("/sites")]
        self.rows("/sites", {}, ("site",), mine, rows)

    def timelines(self) -> None:
        for site in sorted({site for _, site in self.planner.groups} - {NOWHERE}):
            rows = self.played.ask(f"/sites/{site}/timeline")["months"]
            for row in rows:
                del row["mw"]
            months = [date.fromisoformat(f"{row['month']}-01") for row in rows]
            mine = [
                self.planner.site_month(site, month) | self.megawatts.cells(site, last_of_month(month))
                for month in months
            ]
            self.rows("/sites/timeline", {"site": site}, ("month",), mine, rows)
            product = self.planner.keys[0][0]
            answered = self.played.ask(f"/sites/{site}/timeline", product=product)["months"]
            for row in answered:
                mine_alone = self.megawatts.cells(
                    site, last_of_month(date.fromisoformat(f"{row['month']}-01")), product
                )
                theirs = {name: row[name] for name in mine_alone}
                self.same("/sites/timeline", f"{site} {product} {row['month']}", mine_alone, theirs)

    def performance(self) -> None:
        judge = Judge(self.book, self.planner.today - 1)
        moved = {movement.key[2] for movement in self.book.movements if movement.wafers}
        for supplier in sorted(moved | {event["source"] for event in self.book.commits.values()}):
            rows = self.played.ask(f"/suppliers/{supplier}/performance")["rows"]
            mine = [judge.row(supplier, row["product"]) for row in rows]
            self.rows(f"/suppliers/{supplier}/performance", {}, ("product",), mine, rows)

    def suppliers(self) -> None:
        judge = Judge(self.book, self.planner.today - 1)
        for lag in LAGS:
            rows = self.played.rows("/suppliers", lag=lag)
            mine = []
            for row in rows:
                kept = judge.row(row["supplier"], row["product"])
                at = next(each for each in kept["lags"] if each["lag_days"] == lag)
                nothing = at["committed"] == 0 == kept["wafers_due"] and row["wafers_received"] is None
                known = {"wafers_due": at["committed"], "wafers_received": kept["wafers_received"]}
                for name, grace in (("otif", "strict"), ("otif_tolerant", "tolerant")):
                    known[name] = {part: at["otif"][grace][part] for part in ("numerator", "denominator", "percent")}
                known |= {"churn": kept["churn"], "bias": at["bias"], "slip_days": at["slip"]["mean_days"]}
                known |= {"slip_greatest": at["slip"]["greatest_days"], "open_wafers": at["slip"]["open_wafers"]}
                if nothing and kept["wafers_received"] == 0:
                    known = dict.fromkeys(known)
                mine.append(
                    {part: row[part] for part in ("supplier", "product")}
                    | judge.in_process(row["supplier"], row["product"])
                    | known
                )
            named = {name for row in mine for name in row}
            cut = [{name: row[name] for name in named} for row in rows]
            self.rows("/suppliers", {"lag": lag}, ("supplier", "product"), mine, cut)

    # ---------------------------------------------------------------- the comparison

    def rows(self, path: str, query: Row, by: Sequence[str], mine: Sequence[Row], answered: Sequence[Row]) -> None:
        """Compare the rows of a view, each known by some of its fields; a row of zeros may be there or not."""
        mine_by, answered_by = ({tuple(row[part] for part in by): row for row in rows} for rows in (mine, answered))
        for each in sorted({*mine_by, *answered_by}, key=repr):
            place = f"{' '.join(f'{k}={v}' for k, v in query.items() if v)} {' '.join(map(str, each))}".strip()
            ours, theirs = mine_by.get(each), answered_by.get(each)
            if ours is None or theirs is None:
                if _says_something(ours or theirs, by):
                    self.differences.append(f"{path} {place}: the oracle {_row(ours)}, answered {_row(theirs)}")
                continue
            self.same(path, place, ours, theirs)

    def same(self, path: str, place: str, mine: Any, answered: Any, field: str = "") -> None:
        """Compare two answers, field by field."""
        if isinstance(mine, dict) and isinstance(answered, dict):
            for name in {*mine, *answered} - NOT_NUMBERS:
                below = f"{field}.{name}" if field else name
                self.same(path, place, mine.get(name, ABSENT), answered.get(name, ABSENT), below)
        elif isinstance(mine, list) and isinstance(answered, list) and len(mine) == len(answered):
            for ours, theirs in zip(mine, answered, strict=True):
                self.same(path, place, ours, theirs, field)
        else:
            self.numbers += 1
            if mine != answered:
                self.differences.append(f"{path} {place} {field}: the oracle {mine}, answered {answered}")


def last_of_month(month: date) -> int:
    return month.toordinal() + monthrange(month.year, month.month)[1] - 1


def _says_something(row: Row | None, by: Sequence[str]) -> bool:
    return row is None or any(_numbers(value) for name, value in row.items() if name not in by)


def _numbers(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_numbers(each) for each in value.values())
    if isinstance(value, list):
        return any(map(_numbers, value))
    return isinstance(value, int) and value != 0


def _row(row: Row | None) -> str:
    return "has no such row" if row is None else str(row)


def compared(seed: int) -> Comparison:
    """Compare the world of a seed."""
    return Comparison(log_of(seed)).compare()


def log_of(seed: int) -> list[CloudEvent]:
    """Return the log of a seed, in some order."""
    log = numbered(World(seed).generate())
    return log if seed % 2 else shuffled(log, seed)
