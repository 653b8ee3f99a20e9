"""Is the reference programme nothing but data? No name and no number of it is in the code of the services."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.play.scenario import load_scenario

ROOT = Path(__file__).parents[2]
SUFFIXES = {".py", ".html", ".j2", ".js", ".css", ".json", ".svg"}
PRINTED = {"examples.json"}  # of the API's pages: printed from the demo, by the code
TARGET = re.compile(r"\b(900[_,. ]?000|9e5|9E5)\b")


def names() -> set[str]:
    """Every product, platform, site, source and fab of the reference programme, and the products it speaks of."""
    scenario = load_scenario()
    programme = scenario.programme
    fabs = {fab.name for supplier in scenario.suppliers.values() for fab in supplier.fabs}
    return {
        *programme.products, *programme.platforms, *(source for _, source in programme.parties.sources()),
        *scenario.sites, *(site.name for site in scenario.sites.values()), *fabs,
    }  # fmt: skip


NAMES = names()
NAMED = re.compile("|".join([*map(re.escape, sorted(NAMES, key=len, reverse=True)), "hynix"]), re.IGNORECASE)


def texts() -> Iterator[tuple[str, int, str]]:
    """Yield the place, the line and the text of each line of code, docstrings left out."""
    for root in ("services", "shared"):
        for path in sorted((ROOT / root).rglob("*")):
            if path.suffix in SUFFIXES and path.name not in PRINTED:
                text = path.read_text(encoding="utf-8")
                described = set(_docstring_lines(text)) if path.suffix == ".py" else set()
                for number, line in enumerate(text.splitlines(), 1):
                    if number not in described:
                        yield str(path.relative_to(ROOT)), number, line


def _docstring_lines(text: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node
        ):
            yield from range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)


def test_the_names_are_those_of_the_programme() -> None:
    assert len(NAMES) > 40
    assert {"HBM4-12H", "VR-NVL72", "samsung", "stargate-emea", "TX-ABILENE", "Icheon-M16"} <= NAMES


@pytest.mark.parametrize("pattern", [NAMED, TARGET], ids=["names", "target"])
def test_no_constant_of_the_reference_programme_is_in_the_code(pattern: re.Pattern[str]) -> None:
    found = [f"{place}:{number}: {line.strip()[:90]}" for place, number, line in texts() if pattern.search(line)]

    assert not found, f"{len(found)}:\n" + "\n".join(found)
