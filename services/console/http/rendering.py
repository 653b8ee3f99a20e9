"""Pages as HTML: the templates, and numbers, days and durations as people read them."""

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context


def render(template: str, **values: Any) -> str:
    """Return a template filled with values."""
    return _environment.get_template(template).render(**values)


def _signed(number: float) -> str:
    """Return a number with a typographic minus."""
    return str(number).replace("-", "−")


def _wafers(count: float | None) -> str:
    """Return a number with its thousands apart, without a decimal that is zero, a dash for none."""
    return "–" if count is None else f"{count:,}".removesuffix(".0").replace("-", "−")


def _reported(count: int | None) -> str:
    """Return a number that suppliers report by lots, or that none does."""
    return "not reported" if count is None else _wafers(count)


def _ago(seconds: int) -> str:
    """Return a time ago in its largest whole unit."""
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name} ago"
    return "just now"


def _day(day: str | None) -> str:
    """Return a day in the form 27 May 2026, a dash for none."""
    return "–" if day is None else f"{date.fromisoformat(day):%-d %b %Y}"


def _until(day: str | None) -> str:
    """Return the day until which a shortage lasts."""
    return "not within the horizon" if day is None else _day(day)


def _cause(name: str) -> str:
    """Return the name of a cause in words."""
    return name.replace("_", " ")


def _short_day(day: str) -> str:
    """Return a day without its year, in the form 27 May."""
    return f"{date.fromisoformat(day):%-d %b}"


@pass_context
def _titled(context: Context, id_: str, kind: str = "site") -> str:
    """Return the name that is declared of a site, or of a product, source or supplier; its id where none is."""
    titles: Mapping[tuple[str, str], str] = context.get("titles", {})
    return titles.get((kind, id_), id_)


def _day_before(day: str) -> str:
    """Return the day before a day."""
    return _day((date.fromisoformat(day) - timedelta(days=1)).isoformat())


def _known_at(as_of: str) -> str:
    """Return in words how much a page knows: the batches up to one, or those recorded by the end of a day."""
    if as_of == "0":
        return "the empty log"
    return f"known at batch {_wafers(int(as_of))}" if as_of.isdigit() else f"known by the end of {_day(as_of)}"


_environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(("html.j2",)),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {
    "wafers": _wafers,
    "day": _day,
    "day_before": _day_before,
    "short_day": _short_day,
    "titled": _titled,
    "until": _until,
    "cause": _cause,
    "signed": _signed,
    "ago": _ago,
    "known_at": _known_at,
    "reported": _reported,
}
