"""The figures of a measurement as text: their place on the performance page, the machine, and rounding."""

import json
import math
import platform
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs"
WIDTH = 120  # columns of a page


def write_docs(mark: str, lines: Sequence[str], result: Mapping[str, Any]) -> None:
    """Replace the lines between the marks of the performance page by new ones and their result as JSON."""
    page = DOCS / "performance.md"
    begin, end = f"<!-- {mark} -->", "<!-- end -->"
    before, marked, rest = page.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not marked or not ended:
        raise SystemExit(f"{page} has no {begin} ... {end}")
    wrapped = [part for line in lines for part in ([line] if line.startswith("|") else _wrap(line) or [""])]
    figures = [f"    {line}" for line in _wrap(json.dumps(result), WIDTH - 4)]
    page.write_text("\n".join((f"{before}{begin}", "", *wrapped, "", *figures, "", f"{end}{after}")))


def _wrap(text: str, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def cpu_name() -> str:
    """Return the model name of the processor."""
    named = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return named[1] if named else platform.machine()


def shown(value: float) -> str:
    """Return a number to three digits, never with an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}"
