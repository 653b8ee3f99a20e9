"""Is the code as small and as plainly worded as CONTRIBUTING.md says? Each failure names the places."""

import ast
import io
import re
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
OPENING = re.compile(r"(what|how|where|who|when|which)\b", re.IGNORECASE)
VAGUE = re.compile(r"\b(what|who|whose|whoever|whatever|wherever)\b", re.IGNORECASE)
VAGUE_MAX = 2.0  # per 1,000 words
SHARED_NAMES_MAX = 0.0  # percent of the class names
LARGE = {"shared/wire/events.py"}  # one class for each event: together they are the contract


Function = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    """A module: its place, its text, and its tree."""

    place: str
    text: str
    tree: ast.Module

    @property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    def words(self) -> Iterator[tuple[str, str]]:
        """Yield each docstring and each comment, with its place."""
        for node in self.nodes:
            if isinstance(node, ast.Module | ast.ClassDef | Function):
                yield f"{self.place}:{getattr(node, 'lineno', 1)}", ast.get_docstring(node) or ""
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type == tokenize.COMMENT and not re.search("noqa|type:|fmt:", token.string):
                yield f"{self.place}:{token.start[0]}", token.string


def modules(*folders: str) -> list[Module]:
    files = sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    texts = [(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")) for file in files]
    return [Module(place, text, ast.parse(text)) for place, text in texts]


CODE = modules("services", "shared")


def expect_none(offenders: Iterable[object]) -> None:
    """Name every offender: pytest would show the first one alone."""
    found = [str(each) for each in offenders]
    assert not found, f"{len(found)}: " + "\n".join(found)


def expect_at_most(most: int, sizes: Iterable[tuple[str, int]]) -> None:
    expect_none(f"{place} has {size}, {most} at most" for place, size in sizes if size > most)


# ---------------------------------------------------------------- words


def test_a_module_opens_with_the_thing_and_not_with_a_question() -> None:
    expect_none(module.place for module in CODE if OPENING.match(ast.get_docstring(module.tree) or ""))


def test_a_sentence_names_its_agent() -> None:
    texts = (each for module in (*CODE, *modules("testing")) for each in module.words())

    expect_none(place for place, text in texts if re.search(r"\bwhoever\b", text, re.IGNORECASE))


def test_vague_words_are_rare() -> None:
    texts = [each for m in CODE for each in m.words()]
    words = sum(len(re.findall(r"\w+", text)) for _, text in texts)
    places = Counter({place: len(VAGUE.findall(text)) for place, text in texts})

    per_thousand = 1000 * places.total() / words
    assert per_thousand <= VAGUE_MAX, f"{per_thousand:.1f} per 1,000 words: {(+places).most_common()}"


def test_a_class_name_has_one_meaning() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for module in CODE:
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(module.place)
    names = {name: found for name, found in places.items() if len(found) > 1}

    percent = 100 * sum(map(len, names.values())) / sum(map(len, places.values()))
    assert percent <= SHARED_NAMES_MAX, f"{percent:.1f} % of the classes share their name: {names}"


# ---------------------------------------------------------------- sizes


def test_a_module_is_read_in_one_sitting() -> None:
    expect_at_most(500, ((m.place, m.text.count("\n")) for m in CODE if m.place not in LARGE))


def test_a_function_fits_on_a_screen() -> None:
    functions = [(m, n) for m in CODE for n in m.nodes if isinstance(n, Function)]

    expect_at_most(70, ((f"{m.place}:{n.lineno} {n.name}", _last_line(n) - n.lineno + 1) for m, n in functions))


def _last_line(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def test_a_class_has_one_purpose() -> None:
    classes = [(m, n) for m in CODE for n in m.nodes if isinstance(n, ast.ClassDef)]

    expect_at_most(20, ((f"{m.place}:{n.lineno} {n.name}", _public_methods(n)) for m, n in classes))


def _public_methods(node: ast.ClassDef) -> int:
    return sum(isinstance(each, Function) and not each.name.startswith("_") for each in node.body)


def test_a_folder_is_seen_at_a_glance() -> None:
    files = [Path(module.place) for module in CODE]

    expect_at_most(12, Counter(str(file.parent) for file in files if not file.name.startswith("__")).items())


# ---------------------------------------------------------------- pages

PAGES = [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES += sorted(page for folder in ("contracts", "docs", "deploy") for page in (ROOT / folder).rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_is_wrapped_at_120_columns(page: Path) -> None:
    """But for table rows, and for blocks of code, which show text as it is."""
    prose = re.sub(r"^```.*?^```$", lambda block: "\n" * block[0].count("\n"), page.read_text(encoding="utf-8"),
                   flags=re.DOTALL | re.MULTILINE)  # fmt: skip

    lines = enumerate(prose.splitlines(), 1)
    expect_none(f"line {number}" for number, line in lines if len(line) > 120 and not line.startswith("|"))
