"""What the oracle answers of balances, shortages, cover, promises, months and sites.

Settled where the documents leave it open:

- The backlog of a day is max(0, that of the day before + due − consumed). What is consumed early for an order, and
  what is consumed beyond it, is due on the day of the consumption.
- From today on, what comes to hand is: what is on its way and open commits, on their days; and what the log says
  already of today and later, as a source may be ahead of the others: received, opened, transferred and counted. What
  is consumed from today on is not taken off again, as the orders stand for it.
- Short since: the first of the days without a gap up to yesterday on which the stock on hand, less the backlog, was
  below 0.
- Cover of a stock that is less than the backlog is no day, and nothing left.
- The buckets of a promise go on to the horizon's end, whatever number is asked for. The backlog is taken off what is
  on hand; it is not among the orders of the first bucket. Stock that a count takes away is no receipt: it is taken as
  an order is.
- Orders consume forecasts from the first bucket on that has any, also before today; buckets before today are counted
  back from today. In frozen buckets no forecast counts.
- What is due at a site holds what is due beyond the horizon, which has no day.
- An agreement counts in each month that it has a day in, in full.
- A month's share is of the target that the programme in force declares; it is none without a target.
"""

from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NamedTuple

from testing.oracle.book import GRADES, NOWHERE, Book, Key, at_least, day, iso, key_of, on_hand_by

Row = dict[str, Any]
Group = tuple[str, str]
"""A product and a site."""


class Schedule(NamedTuple):
    """What comes and goes of a product at a site, from today to the horizon's end, and what stands there before."""

    on_hand: int
    backlog: int
    since: int | None
    demand: list[int]  # [day] orders
    receipts: list[int]  # [day]
    past_due: int


class Planner:
    """The views of a log, worked out from its book."""

    def __init__(self, book: Book, start: int, days: int) -> None:
        self.book, self.start, self.end = book, start, start + days  # `end` is the day after the horizon
        self.through = book.complete_through()
        plans = [(key, due) for key, due, _ in book.demand] + [(key, due) for key, due, _, _ in book.open_commits]
        self.keys: list[Key] = sorted(
            {movement.key for movement in book.movements}
            | {key for key, _ in plans}
            | {part.key for part, _ in book.on_the_way()}
            | {key_of(event) for event in book.forecasts.values()}
        )
        self.groups: list[Group] = sorted({key[:2] for key in self.keys})
        self._past = {group: self._past_of([key for key in self.keys if key[:2] == group]) for group in self.groups}

    @property
    def today(self) -> int:
        assert self.through is not None
        return self.through + 1

    # ---------------------------------------------------------------- balances

    def balances(self, by: Sequence[str], on: int, window: int, basis: str, firmness: str | None) -> list[Row]:
        parts = [("product", "site", "supplier").index(part) for part in by]
        found = []
        for label in sorted({tuple(key[part] for part in parts) for key in self.keys}):
            keys = [key for key in self.keys if tuple(key[part] for part in parts) == label]
            row = self._balance(keys, on, window, basis, firmness) | self._reported(
                keys, on, [part for part in parts if part != 1]
            )
            row["lacking"] = None if "supplier" in by else self._lacking(keys, on, window, basis, firmness)
            if basis == "start" and row["wip"] is None and row["lots_not_reported_by"]:
                row |= dict.fromkeys(("supply", "net", "lacking"))
            found.append(dict(zip(by, label, strict=True)) | row)
        return found

    def _lacking(self, keys: Sequence[Key], *asked: Any) -> int:
        groups = {key[:2] for key in keys}
        nets = [self._balance([key for key in keys if key[:2] == group], *asked)["net"] for group in groups]
        return sum(-net for net in nets if net < 0)

    def _reported(self, keys: Sequence[Key], on: int, fixed: Sequence[int] = ()) -> Row:
        """Return the stages before the dispatch, without those of suppliers that move a product and report no lots.

        `fixed` are the parts of the key, product and supplier, that all the keys have in common by label.
        """
        lots = ("started", "scrapped", "finished", "variance")

        def moves(chosen: Sequence[Key], kinds: Sequence[str]) -> bool:
            return any(self.book.total(what, chosen, 0, on) for what in kinds)

        def reports(key: Key) -> bool:
            return moves([each for each in self.keys if (each[0], each[2]) == (key[0], key[2])], lots)

        moving = [key for key in keys if moves([key], (*lots, "dispatched", "received"))]
        reporting = [key for key in moving if reports(key)]
        scope = [key for key in self.keys if all(key[part] == keys[0][part] for part in fixed)]
        if not reporting and (moving or not any(map(reports, scope))):
            stages: Row = {"wip": None, "finished": None}
        else:
            sums = {what: self.book.total(what, reporting, 0, on) for what in (*lots, "dispatched")}
            wip = sums["started"] - sums["scrapped"] - sums["finished"] - sums["variance"]
            stages = {"wip": wip, "finished": sums["finished"] - sums["dispatched"]}
        silent = {key[2] for key in moving if not reports(key)} - {"unattributed"}
        return stages | {"lots_not_reported_by": sorted(silent)}

    def _balance(self, keys: Sequence[Key], on: int, window: int, basis: str, firmness: str | None) -> Row:
        book, first = self.book, on - window + 1
        if firmness is not None:
            supply = sum(self._committed(keys, first, on, grade) for grade in GRADES if at_least(grade, firmness))
        else:
            supply = book.total("started" if basis == "start" else "received", keys, first, on)
        day_asked = "start_by" if basis == "start" else "due"
        demand = self._planned(book.orders.values(), keys, first, on, day_asked)
        return {
            "supply": supply,
            "demand": demand,
            "net": supply - demand,
            "in_transit": sum(rest for part, rest in book.on_the_way(on) if part.key in keys),
            "on_hand": self.on_hand(keys, on),
            "open_commit": {
                grade: sum(wafers for key, _, each, wafers in book.open_commits if key in keys and each == grade)
                for grade in GRADES
            },
        }

    def _planned(self, events: Any, keys: Sequence[Key], first: int, last: int, named: str) -> int:
        return sum(
            event["data"]["wafers"]
            for event in events
            if key_of(event) in keys and first <= day(event["data"][named]) <= last
        )

    def _committed(self, keys: Sequence[Key], first: int, last: int, grade: str) -> int:
        commits = [e for e in self.book.commits.values() if e["data"]["firmness"] == grade]
        return self._planned(commits, keys, first, last, "due")

    def on_hand(self, keys: Sequence[Key], on: int) -> int:
        return sum(on_hand_by(each) for each in self.book.movements if each.key in keys and each.day <= on)

    # ---------------------------------------------------------------- the projection

    def schedule(self, group: Group, firmness: str, *, past_due: bool = False) -> Schedule:
        keys = [key for key in self.keys if key[:2] == group]
        book, today = self.book, self.today
        demand, receipts = [0] * (self.end - today), [0] * (self.end - today)
        overdue = 0
        for key, due, wafers in book.demand:
            if key in keys and today <= due < self.end:
                demand[due - today] += wafers
        to_come = [(part.key, part.eta, rest) for part, rest in book.on_the_way()]
        to_come += [(key, due, wafers) for key, due, grade, wafers in book.open_commits if at_least(grade, firmness)]
        for key, on, wafers in to_come:
            if key in keys and on < today:
                overdue += wafers
            elif key in keys and on < self.end:
                receipts[on - today] += wafers
        for each in book.movements:
            if each.key in keys and today <= each.day < self.end and each.what != "consumed":
                receipts[each.day - today] += on_hand_by(each)
        if past_due:
            receipts[0] += overdue
        return Schedule(*self._past[group], demand, receipts, overdue)

    def _past_of(self, keys: Sequence[Key]) -> tuple[int, int, int | None]:
        """Return stock and backlog of yesterday, and since when on end the one has been less than the other."""
        if self.through is None:
            return 0, 0, None
        backlogs, since = self._backlogs(keys), None
        for on in range(self.today - 1, self.start - 1, -1):
            if self.on_hand(keys, on) >= backlogs[on]:
                break
            since = on
        return self.on_hand(keys, self.today - 1), backlogs[self.today - 1], since

    def _backlogs(self, keys: Sequence[Key]) -> dict[int, int]:
        """Return what was due by each day before today and not consumed by it."""
        due = [(on, wafers) for key, on, wafers in self.book.demand if key in keys]
        consumed = [(on, wafers) for key, on, wafers in self.book.consumed if key in keys]
        backlog, found = 0, {}
        for on in range(min([self.start, *(on for on, _ in due + consumed)]), self.today):
            backlog += sum(wafers for each, wafers in due if each == on)
            backlog = max(0, backlog - sum(wafers for each, wafers in consumed if each == on))
            found[on] = backlog
        return found

    @staticmethod
    def balance(plan: Schedule) -> list[int]:
        """Return the projected balance at the end of each day from today on."""
        stock, found = plan.on_hand - plan.backlog, []
        for comes, goes in zip(plan.receipts, plan.demand, strict=True):
            stock += comes - goes
            found.append(stock)
        return found

    # ---------------------------------------------------------------- shortages and cover

    def shortages(self, firmness: str, *, past_due: bool) -> list[Row]:
        found = []
        for group in self.groups:
            at = {grade: self._short(group, grade, past_due=past_due) for grade in GRADES}
            if at[firmness]["first_short_day"] is not None:
                plan = self.schedule(group, firmness)
                short = {part: value for part, value in at[firmness].items() if part != "past_due_supply"}
                found.append(
                    {"product": group[0], "site": group[1], "on_hand": plan.on_hand, "short_since": iso(plan.since)}
                    | {"short_now": max(0, plan.backlog - plan.on_hand), "lead_days": self._lead(group[0])}
                    | short
                    | {"by_firmness": at}
                    | {"forecast_gap": self._forecast_gap(group, firmness, past_due=past_due)}
                )
        return found

    def to_act_on(self, firmness: str, *, past_due: bool) -> list[Row]:
        """Return the products that run short in the order in which to act on them, by their names."""
        ranks = {"in_full": 0, "in_part": 1}
        found = sorted(
            self.shortages(firmness, past_due=past_due),
            key=lambda row: (
                ranks.get(row["startable"], 2),
                *((row["act_by"], -row["act_wafers"]) if row["act_by"] else ()),
                row["first_short_day"],
                row["short_since"] or row["first_short_day"],
                -row["shortage"],
                row["product"],
                row["site"],
            ),
        )
        return [{"product": row["product"], "site": row["site"]} for row in found]

    def _lead(self, product: str) -> int | None:
        """Return the lower median of the days from start to receipt of a product's orders, as first stated."""
        first = [each[0]["data"] for each in self.book.statements("demand.required", "line").values()]
        leads = sorted(max(0, day(e["due"]) - day(e["start_by"])) for e in first if e["product"] == product)
        return leads[(len(leads) - 1) // 2] if leads else None

    def forecast_gaps(self, firmness: str, *, past_due: bool) -> list[Row]:
        """Return the forecast that supply does not cover, of the groups that orders alone do not make short."""
        found = []
        for group in self.groups:
            gap = self._forecast_gap(group, firmness, past_due=past_due)
            if gap["wafers"] and self._short(group, firmness, past_due=past_due)["first_short_day"] is None:
                found.append({"product": group[0], "site": group[1]} | gap)
        return sorted(found, key=lambda row: (row["first_day"], -row["wafers"], row["product"], row["site"]))

    def _forecast_gap(self, group: Group, firmness: str, *, past_due: bool) -> Row:
        balance = self.balance(self.schedule(group, firmness, past_due=past_due))
        _, net = self._forecast(group, 1, len(balance), 0)
        gaps = [max(0, sum(net[: on + 1]) - max(0, balance[on])) for on in range(len(balance))]
        days = [on for on, wafers in enumerate(gaps) if wafers]
        return {"first_day": iso(self.today + days[0]) if days else None, "wafers": max(gaps)}

    def _short(self, group: Group, firmness: str, *, past_due: bool) -> Row:
        plan = self.schedule(group, firmness, past_due=past_due)
        balance = self.balance(plan)
        short = [on for on, wafers in enumerate(balance) if wafers < 0]
        lead = self._lead(group[0])
        met = [on for on in short if lead is not None and on >= lead]
        startable = None if not short or lead is None else "too_late" if not met else "in_part"
        return {
            "first_short_day": iso(self.today + short[0]) if short else None,
            "first_shortage": -balance[short[0]] if short else 0,
            "shortage": max(0, -min(balance)),
            "worst_day": iso(self.today + balance.index(min(balance))) if short else None,
            "short_until": iso(self.today + short[-1] + 1) if short and short[-1] + 1 < len(balance) else None,
            "act_by": iso(self.today + met[0] - lead) if met and lead is not None else None,
            "act_for": iso(self.today + met[0]) if met else None,
            "act_wafers": -balance[met[0]] if met else 0,
            "startable": "in_full" if met and met[0] == short[0] else startable,
            "past_due_supply": plan.past_due,
        }

    def cover(self) -> list[Row]:
        found = []
        for product, site in self.groups:
            if site == NOWHERE:
                continue
            plan = self.schedule((product, site), "planned")
            left = max(0, plan.on_hand - plan.backlog)
            short = plan.on_hand < plan.backlog
            days, next_ = None, 0
            for covered, goes in enumerate(plan.demand):
                if short or left < goes:
                    days, next_ = covered, goes
                    break
                left -= goes
            found.append(
                {
                    "product": product,
                    "site": site,
                    "on_hand": plan.on_hand,
                    "backorder": plan.backlog,
                    "cover": {"days": days, "left": left, "next": next_},
                    "cover_days": None if days is None else round(days + left / max(1, next_), 1),
                    "covered_until": iso(self.today + days - 1) if days else None,
                    "first_uncovered_day": None if days is None else iso(self.today + days),
                }
            )
        return found

    def fill_rate(self, group: Group) -> tuple[int, int]:
        """Return the wafers of orders that were there by their day, and of all orders due by yesterday."""
        keys = [key for key in self.keys if key[:2] == group]
        orders = [e for e in self.book.orders.values() if key_of(e) in keys]
        days = sorted({day(e["data"]["due"]) for e in orders if day(e["data"]["due"]) < self.today})
        served = before = 0
        backlogs = self._backlogs(keys)  # what was consumed beyond it serves no order
        for on in days:
            due = sum(e["data"]["wafers"] for e in orders if day(e["data"]["due"]) == on)
            came = sum(
                on_hand_by(each)
                for each in self.book.movements
                if each.key in keys and each.day <= on and each.what != "consumed"
            )
            ordered = sum(e["data"]["wafers"] for e in orders if day(e["data"]["due"]) <= on)
            gone = sum(wafers for key, each, wafers in self.book.consumed if key in keys and each <= on)
            wasted = backlogs.get(on, 0) - ordered + gone
            served += min(due, max(0, came - wasted - before))
            before += due
        return served, before

    # ---------------------------------------------------------------- promises

    def promises(self, size: int, buckets: int, firmness: str, frozen_days: int, tradeoff_days: int) -> list[Row]:
        found = []
        frozen = -(-frozen_days // size)
        for group in self.groups:
            plan = self.schedule(group, firmness)
            orders = [sum(plan.demand[n : n + size]) for n in range(0, len(plan.demand), size)]
            receipts = [sum(plan.receipts[n : n + size]) for n in range(0, len(plan.demand), size)]
            forecast, net = self._forecast(group, size, len(orders), frozen)
            balance = self.balance(plan)
            projected = [balance[min(n + size, len(balance)) - 1] for n in range(0, len(balance), size)]
            discrete = promise(plan.on_hand - plan.backlog, receipts, orders)
            in_all = [min(projected[n:]) for n in range(len(projected))]
            zones = ["frozen" if n * size < frozen_days else "tradeoff" for n in range(len(orders))]
            zones = ["free" if n * size >= max(frozen_days, tradeoff_days) else zone for n, zone in enumerate(zones)]
            columns = {
                "from": [iso(self.today + n * size) for n in range(len(orders))],
                "zone": zones,
                "orders": orders,
                "forecast": forecast,
                "net_forecast": net,
                "receipts": receipts,
                "projected": projected,
                "atp": discrete,
                "atp_cumulative": in_all,
            }
            found += [
                {"product": group[0], "site": group[1]} | {name: column[n] for name, column in columns.items()}
                for n in range(min(buckets, len(orders)))
            ]
        return found

    def _forecast(self, group: Group, size: int, buckets: int, frozen: int) -> tuple[list[int], list[int]]:
        """Return the forecast of each bucket from today on, and what of it is not ordered: day by day, 7 each way."""
        gross, orders = [0] * (self.end - self.start), [0] * (self.end - self.start)
        for events, daily in ((self.book.forecasts, gross), (self.book.orders, orders)):
            for event in events.values():
                on = day(event["data"]["due"])
                if key_of(event)[:2] == group and self.start <= on < self.end:
                    daily[on - self.start] += event["data"]["wafers"]
        net = net_forecast(gross, orders, 7, 7)
        first = self.today - self.start

        def bucketed(daily: list[int]) -> list[int]:
            return [sum(daily[first + n * size : first + (n + 1) * size]) for n in range(buckets)]

        return bucketed(gross), [0 if n < frozen else wafers for n, wafers in enumerate(bucketed(net))]

    # ---------------------------------------------------------------- months

    def months(self, first: date, last: date, kept: Callable[[Key], bool] = lambda _: True) -> list[Row]:
        found = []
        month = first
        while month <= last:
            found.append(self._month(month, [key for key in self.keys if kept(key)], kept))
            month = date(month.year + month.month // 12, month.month % 12 + 1, 1)
        return found

    def _month(self, month: date, keys: Sequence[Key], kept: Callable[[Key], bool]) -> Row:
        book, first = self.book, month.toordinal()
        last = first + monthrange(month.year, month.month)[1] - 1
        started = book.total("started", keys, first, last)
        received = book.total("received", keys, first, last)
        to_start = self._planned(book.orders.values(), keys, first, last, "start_by")
        due = self._planned(book.orders.values(), keys, first, last, "due")
        ever = [book.total(what, keys, 0, last) for what in ("opened", "started", "received")]
        ever_due = self._planned(book.orders.values(), keys, 0, last, "due")
        ever_to_start = self._planned(book.orders.values(), keys, 0, last, "start_by")
        to_come = {name: self._to_come(keys, max(first, self.today), last, name) for name in ("in_transit", *GRADES)}
        all_to_come = sum(self._to_come(keys, self.today, last, name) for name in to_come)
        silent = self._reported(keys, 10**6)
        is_known = first < self.today and not (silent["wip"] is None and silent["lots_not_reported_by"])
        agreed = sum(
            event["data"]["wafers_per_month"]
            for event in book.agreements.values()
            if kept(key_of(event))
            and day(event["data"]["starts_on"]) <= last
            and first <= day(event["data"]["ends_on"])
        )
        return {
            "month": f"{month:%Y-%m}",
            "start": {
                "demand": to_start,
                "started": started if is_known else None,
                "net": started - to_start if is_known else None,
                "cumulative_gap": ever[0] + ever[1] - ever_to_start if is_known else None,
                "agreed": agreed,
                "share_percent": share_of(started, book.target) if is_known else None,
            },
            "receipt": {
                "forecast": self._planned(book.forecasts.values(), keys, first, last, "due"),
                "due": due,
                "committed": {grade: self._committed(keys, first, last, grade) for grade in GRADES},
                "received": received,
                "to_come": to_come,
                "net": received + sum(to_come.values()) - due,
                "cumulative_gap": ever[0] + ever[2] + all_to_come - ever_due,
                "share_percent": share_of(received, book.target),
            },
        }

    def _to_come(self, keys: Sequence[Key], first: int, last: int, name: str) -> int:
        """Return what is due to come in some days: in transit by eta, or open commits of a grade by due day."""
        if name == "in_transit":
            return sum(rest for part, rest in self.book.on_the_way() if part.key in keys and first <= part.eta <= last)
        open_commits = self.book.open_commits
        return sum(
            wafers for key, due, grade, wafers in open_commits if key in keys and grade == name and first <= due <= last
        )

    # ---------------------------------------------------------------- sites

    def site_month(self, site: str, month: date) -> Row:
        """Return what is due at a site and comes in a month, and what is on hand at its end, if it has begun."""
        keys = [key for key in self.keys if key[1] == site]
        row = self._month(month, keys, lambda key: key[1] == site)["receipt"]
        first = month.toordinal()
        last = first + monthrange(month.year, month.month)[1] - 1
        return {
            "month": f"{month:%Y-%m}",
            "due": row["due"],
            "forecast": row["forecast"],
            "committed": sum(row["committed"].values()),
            "received": row["received"],
            "to_come": sum(row["to_come"].values()),
            "consumed": self.book.total("consumed", keys, first, last),
            "on_hand": self.on_hand(keys, min(last, self.today - 1)) if first < self.today else None,
        }

    def sites(self, firmness: str) -> list[Row]:
        shortages, cover = self.shortages(firmness, past_due=False), self.cover()
        found = []
        for site in sorted({site for _, site in self.groups} - {NOWHERE}):
            due = [
                (on, wafers) for key, on, wafers in self.book.demand if key[1] == site and on >= self.today and wafers
            ]
            days = [min(on, self.end) for on, _ in due]
            first = min(days, default=None)
            short = [row for row in shortages if row["site"] == site]
            covered = [row for row in cover if row["site"] == site and row["first_uncovered_day"] is not None]
            found.append(
                {
                    "site": site,
                    "next_due_day": "beyond" if first == self.end else iso(first),
                    "next_due": sum(wafers for on, wafers in due if min(on, self.end) == first),
                    "last_due_day": "beyond" if max(days, default=0) == self.end else iso(max(days, default=None)),
                    "due": sum(wafers for _, wafers in due),
                    "on_hand": self.on_hand([key for key in self.keys if key[1] == site], self.today - 1),
                    "first_short_day": min((row["first_short_day"] for row in short), default=None),
                    "first_uncovered_day": min((row["first_uncovered_day"] for row in covered), default=None),
                }
            )
        return found


def promise(on_hand: int, receipts: Sequence[int], orders: Sequence[int]) -> list[int]:
    """Return the discrete ATP: receipts, less orders until the next ones; the earliest deficit is paid first."""
    found = [0] * len(receipts)
    last = 0
    for n, (comes, goes) in enumerate(zip(receipts, orders, strict=True)):
        if n == 0 or comes > 0:  # what a count takes away is no receipt
            last = n
        found[last] += comes - goes + (on_hand if n == 0 else 0)
    for n in range(len(found)):
        for earlier in range(n - 1, -1, -1):
            if found[n] < 0 < found[earlier]:
                paid = min(-found[n], found[earlier])
                found[n] += paid
                found[earlier] -= paid
    return found


def net_forecast(gross: Sequence[int], orders: Sequence[int], early: int, late: int) -> list[int]:
    """Return the forecast that no order consumed: of its own bucket, then of earlier ones, then of later ones."""
    net = list(gross)
    for n, ordered in enumerate(orders):
        wanted = ordered
        nearby = [n, *range(n - 1, n - 1 - early, -1), *range(n + 1, n + 1 + late)]
        for bucket in nearby:
            if 0 <= bucket < len(net):
                consumed = min(wanted, net[bucket])
                net[bucket] -= consumed
                wanted -= consumed
    return net


def half_up(numerator: int, denominator: int) -> int:
    """Return a ratio as the nearest whole number; of two that are as near, the greater."""
    return (2 * numerator + denominator) // (2 * denominator)


def share_of(wafers: int, target: int | None) -> float | None:
    """Return wafers as a percentage of the target to one decimal; None where none is declared."""
    return None if target is None else half_up(wafers * 1000, target) / 10
