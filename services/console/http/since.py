"""Sentences of the view *Since*: a row's changes and their effect on the shortage, as a planner says them."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from shared.wire.events import UNATTRIBUTED

PHRASES = {  # of a cause that lowers the balance, and of one that raises it
    "demand_raised": ("raised its orders by {n}", ""),
    "demand_lowered": ("", "lowered its orders by {n}"),
    "demand_pulled_in": ("pulled in orders of {n}", ""),
    "demand_pushed_out": ("", "pushed out orders of {n}"),
    "demand_moved": ("moved orders of {n} here", "moved orders of {n} elsewhere"),
    "commits_lowered": ("lowered its commits by {n}", ""),
    "commits_raised": ("", "raised its commits by {n}"),
    "commits_moved": ("moved commits of {n} elsewhere", "moved commits of {n} here"),
    "softened": ("made commits of {n} less firm", ""),
    "firmed": ("", "made commits of {n} firmer"),
    "sent_unpromised": ("sent {n} fewer beyond its commits", "sent {n} beyond its commits"),
    "slipped": ("moved {n} later", ""),
    "pulled_in": ("", "moved {n} earlier"),
    "diverted": ("diverted {n} elsewhere", "diverted {n} here"),
    "lost": ("lost {n} on the way", "had {n} back that were lost"),
    "damaged": ("delivered {n} damaged", "delivered {n} that were damaged"),
    "over_received": ("delivered {n} fewer beyond those it sent", "delivered {n} more than it sent"),
    "short_received": ("delivered {n} fewer than it sent", "delivered {n} that were missing"),
    "scrap_and_yield": ("lost {n} to scrap and yield", "gained {n} by yield"),
    "consumed_beyond": ("consumed {n} beyond the orders due", "no longer consumed {n} beyond the orders due"),
    "never_promised": ("ordered {n} that nobody has promised", ""),
    "opened": ("opened with {n} fewer", "opened with {n}"),
    "counted": ("was counted {n} lower", "was counted {n} higher"),
    "transferred": ("had {n} transferred away", "had {n} transferred in"),
    "returned": ("had {n} returned", "had {n} come back"),
    "overdue": ("is overdue with {n}", "brought or re-dated {n} that were overdue"),
}
_MOVED = {"slipped", "pulled_in", "demand_pulled_in", "demand_pushed_out"}
_CHANGES_MAX = 2  # in a sentence


def sentence(row: Mapping[str, Any]) -> str:
    """Return a row as a sentence: the party, its changes, and their effect on the shortage."""
    return f"{changes_of(row, group_words(row))}: {effect_of(row)}"


def changes_of(row: Mapping[str, Any], of: str = "") -> str:
    """Return the changes of a party: the two greatest, and the number of the others; `of` names the wafers."""
    mover, phrases = row["source"] or _stock_of(row["supplier"]), list[str]()
    for change in row["changes"][:_CHANGES_MAX]:
        phrases.append(_phrase(change, of))
        of = ""
    others = len(row["changes"]) - len(phrases)
    more = f", and {others} smaller change{'' if others == 1 else 's'}" if others > 0 else ""
    return f"{mover} {' and '.join(phrases)}{more}"


def group_words(row: Mapping[str, Any]) -> str:
    """Return the words that name the wafers of a row."""
    return f" of {row['product']} for {row['site']}"


def effect_of(row: Mapping[str, Any]) -> str:
    """Return the wafers that are more or fewer short at worst, and the first short day where it is another one."""
    wafers, parts = row["more_short"], row["parts"]
    effect = f"{_wafers(wafers)} more short at worst" if wafers > 0 else f"{_wafers(-wafers)} fewer short at worst"
    then, now = row["first_short_then"], row["first_short_now"]
    if then == now:
        return effect
    others = parts - 1
    together = f"; with {others} other change{'' if others == 1 else 's'}:" if others else ","
    if now is None:
        return f"{effect}{together} no longer short"
    before = "none before" if then is None else f"instead of {_day(then)}"
    return f"{effect}{together} first short day {_day(now)}{', ' if then is None else ' '}{before}"


def since_rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of an answer, each with its sentence."""
    return [{"sentence": sentence(row)} | row for row in answer["rows"]]


def _wafers(count: int) -> str:
    return f"{count:,} wafer{'' if count == 1 else 's'}"


def _stock_of(supplier: str | None) -> str:
    if supplier is None:
        return "the site"
    return "the stock" if supplier == UNATTRIBUTED else f"the stock of {supplier}"


def _phrase(change: Mapping[str, Any], of: str) -> str:
    lower, higher = PHRASES[change["cause"]]
    phrase = (lower if change["wafers"] < 0 else higher) or change["cause"].replace("_", " ") + " by {n}"
    text, days = phrase.format(n=_wafers(abs(change["wafers"])) + of), _days(change)
    if days.startswith(" from"):  # they say it
        text = text.removesuffix(" later").removesuffix(" earlier")
    return text + days + (f" ({change['reason']})" if change["reason"] else "")


def _days(change: Mapping[str, Any]) -> str:
    """Return from which day to which wafers were moved, those of the line with the most."""
    then, now = change["due_then"], change["due_now"]
    if change["cause"] not in _MOVED or then is None or now is None or then == now:
        return ""
    first, last = date.fromisoformat(then), date.fromisoformat(now)
    same = (
        "%-d" if first.replace(day=1) == last.replace(day=1) else "%-d %b" if first.year == last.year else "%-d %b %Y"
    )
    return f"{' from' if change['lines'] == 1 else ', most of them from'} {first:{same}} to {_day(now)}"


def _day(day: str) -> str:
    return f"{date.fromisoformat(day):%-d %b %Y}"
