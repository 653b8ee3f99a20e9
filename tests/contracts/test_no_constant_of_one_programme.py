"""Is the reference programme nothing but data? No name and no number of it is in the code of the services."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from shared.play.scenario import load_scenario

ROOT = Path(__file__).parents[2]
SUFFIXES = {".py", ".html", ".j2", ".js", ".css", ".json", ".svg", ".yaml", ".yml", ".toml", ".txt", ".md", ".sql"}
PRINTED = {"examples.json"}  # of the API's pages: printed from the demo, by the code
TARGET = re.compile(r"(?<![\d.])(900[_,. ']?000|900e\+?3|9(\.0*)?e\+?0?5|0?\.9e\+?0?6)(?![\d_]*\d)", re.IGNORECASE)


def names() -> set[str]:
    """Every product, platform, site, source and fab of the reference programme, and its own name."""
    scenario = load_scenario()
    programme = scenario.programme
    fabs = {fab.name for supplier in scenario.suppliers.values() for fab in supplier.fabs}
    return {
        programme.name, *programme.products, *programme.platforms,
        *(source for _, source in programme.parties.sources()),
        *scenario.sites, *(site.name for site in scenario.sites.values()), *fabs,
    }  # fmt: skip


def spelled(name: str) -> str:
    """Return the pattern of a name, with any of `-`, `_`, a blank or nothing between its parts."""
    return r"[-_ ]?".join(map(re.escape, re.split(r"[-_ ]", name)))


NAMES = names()
# the name of the file that is played by default is no name of the programme
OWN = rf"{spelled(load_scenario().programme.name)}(?!(-\d+)?\.yaml)"
OTHERS = sorted(NAMES - {load_scenario().programme.name}, key=len, reverse=True)
NAMED = re.compile("|".join([*map(spelled, OTHERS), OWN, "hynix", "하이닉스"]), re.IGNORECASE)


def constants(root: Path) -> Iterator[str]:
    """Yield the place and the text of each line, and each path, that has a name or the target of the programme.

    The examples of a command, at the end of its docstring, are left out.
    """
    for folder in ("services", "shared"):
        for path in sorted((root / folder).rglob("*")):
            place = str(path.relative_to(root))
            if NAMED.search(place):
                yield place
            if path.suffix in SUFFIXES and path.name not in PRINTED:
                text = path.read_text(encoding="utf-8")
                examples = set(_example_lines(text)) if path.suffix == ".py" else set()
                for number, line in enumerate(text.splitlines(), 1):
                    if number not in examples and (NAMED.search(line) or TARGET.search(line)):
                        yield f"{place}:{number}: {line.strip()[:90]}"


def _example_lines(text: str) -> Iterator[int]:
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            described = range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
            starts = [n for n in described if lines[n - 1].strip().startswith("Example:")]
            yield from range(starts[0], described.stop) if starts else ()


def test_the_names_are_those_of_the_programme() -> None:
    assert len(NAMES) > 40
    assert {"HBM4-12H", "VR-NVL72", "samsung", "stargate-emea", "TX-ABILENE", "Icheon-M16", "stargate"} <= NAMES


def test_no_constant_of_the_reference_programme_is_in_the_code() -> None:
    found = list(constants(ROOT))

    assert not found, f"{len(found)}:\n" + "\n".join(found)


def test_each_file_of_the_code_is_read() -> None:
    suffixes = {
        path.suffix for folder in ("services", "shared") for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }  # fmt: skip

    assert suffixes <= SUFFIXES


def test_each_constant_is_found_wherever_it_is_written(tmp_path: Path) -> None:
    """Of each name as it is, in small letters, and as an identifier; of the target in each notation of Python."""
    written = {each for name in NAMES for each in (name, name.lower(), re.sub(r"[- ]", "_", name).upper())}
    written |= {"SK hynix", "SKHynix", "sk-hynix", "Hynix", "SK하이닉스"}
    written |= {"900000", "900_000", "900,000", "9e5", "9E5", "9.0e5", "9e+05", "900e3", "0.9e6", "900000.0"}
    kept = {"9000000", "900_000_000", "1900000", "19e5", "9e50", "scenarios/stargate.yaml", "HBM-12H", "north"}
    for folder in ("services/console/http", "shared/wire"):
        (tmp_path / folder).mkdir(parents=True)
    for n, each in enumerate(sorted(written | kept)):
        (tmp_path / "services/console/http" / f"page{n}.j2").write_text(f"<b>{each}</b>")
        (tmp_path / "shared/wire" / f"module{n}.py").write_text(f'"""A module on {each}."""\n\nVALUE = "{each}"\n')
    (tmp_path / "services/samsung.py").write_text(
        'def ask() -> None:\n    """Ask.\n\n    Example: waferline ask samsung\n    """\n'
    )

    found = list(constants(tmp_path))

    assert [place for place in found if ":" not in place] == ["services/samsung.py"]
    for each in written:
        assert sum(place.endswith((f"<b>{each}</b>", f'VALUE = "{each}"', f'on {each}."""')) for place in found) == 3, (
            each
        )
    for each in kept:
        assert not any(place.endswith((f"<b>{each}</b>", f'"{each}"', f'on {each}."""')) for place in found), each
    assert len(found) == 3 * len(written) + 1
