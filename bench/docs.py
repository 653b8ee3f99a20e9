"""Where the figures of a measurement are written, and what they say of the machine."""

import math
import platform
import re
from collections.abc import Sequence
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def write_docs(mark: str, lines: Sequence[str]) -> None:
    """Put some lines between the marks of the page on performance; where it has none, at its end."""
    page = DOCS / "performance.md"
    begin, end = f"<!-- {mark} -->", "<!-- end -->"
    before, marked, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not marked or not ended:
        raise SystemExit(f"{page} has no {begin} ... {end}")
    page.write_text("\n".join((f"{before}{begin}", "", *lines, "", f"{end}{after}")))


def cpu_name() -> str:
    """Return what the processor calls itself."""
    named = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return named[1] if named else platform.machine()


def shown(value: float) -> str:
    """Return a number to three digits, never with an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"
