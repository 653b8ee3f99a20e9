"""The status of a programme on one page: the verdict, the worklist, the bridge of its first item, and the months."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from services.operator.ask.client import ask

_WEEKS_AHEAD = 26


def ask_status(data: Path, as_of: str | None = None) -> dict[str, Any]:
    """Return the answers of a status; of `first`, the first item with a product and a site, also why, and the weeks.

    `bridge` and `ahead` are None where there is no such item.
    """
    work = ask(data, "aggregator", "/worklist", as_of=as_of)
    at = as_of or str(work["position"])  # all parts are of the position that the page states
    shortages = ask(data, "aggregator", "/shortages", as_of=at, limit=1)
    first = next(
        (item for line in work["rows"] if not line["synthetic"] for item in line["items"] if item["site"]), None
    )
    short = [row for row in shortages["rows"] if not row["synthetic"]]
    if first is None and short:
        first = short[0]
    bridge = ahead = None
    if first is not None:
        chosen = {"product": first["product"], "site": first["site"], "as_of": at}
        bridge = ask(data, "aggregator", "/bridge", **chosen)
        ahead = ask(data, "aggregator", "/atp", bucket="week", buckets=_WEEKS_AHEAD, **chosen)["rows"]
    programme = ask(data, "aggregator", "/months", as_of=at)
    return {
        **{name: work[name] for name in ("complete_through", "position", "head", "today", "recorded_by")},
        "as_of": as_of,
        "verdict": verdict_words(shortages),
        "shortages": shortages["count"] - shortages["synthetic_count"],
        "worklist": work,
        "first": None if first is None else {name: first[name] for name in ("product", "site")},
        "bridge": bridge,
        "ahead": ahead,
        "months": programme["rows"],
        "months_synthetic": programme["synthetic"],
    }


def verdict_words(shortages: dict[str, Any]) -> str:
    """Return in one sentence whether the programme is covered, and until when."""
    today = shortages["today"]
    if today is None:
        return "Not known: no source has completed a day yet."
    missing = ", ".join(shortages["missing_sources"])
    count = shortages["count"] - shortages["synthetic_count"]
    if not count:
        return f"Nothing runs short by what is recorded{f'; {missing}: not known' if missing else ''}."
    first = shortages["rows"][0]
    begin = f"Covered until {date.fromisoformat(first['first_short_day']) - timedelta(days=1)}"
    if first["first_short_day"] == today:
        begin = f"Not covered: short since {first['short_since'] or today}"
    many = f"{count} products at sites run" if count > 1 else "One product at a site runs"
    return (
        f"{begin}. {many} short, first {first['product']} at {first['site']}, by {first['first_shortage']:,} wafers on "
        f"{first['first_short_day']}."
    )
