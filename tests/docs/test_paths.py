"""The pages on the project name files and folders that exist."""

import re

import pytest

from tests.docs.pages import DOCS

ROOT = DOCS.parent
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`")
TOP = {path.name for path in ROOT.iterdir()}
BUILT = {".venv", "build", "data"}
PAGES = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", *sorted(path.name for path in DOCS.glob("*.md"))]


def named_paths(page: str) -> set[str]:
    """Return the paths in backticks on a page that begin with a file or folder of the root."""
    text = ((ROOT if (ROOT / page).exists() else DOCS) / page).read_text(encoding="utf-8")
    return {
        path
        for path in PATH.findall(text)
        if (path.split("/")[0] in TOP - BUILT and "/" in path) or re.fullmatch(r"(services|shared|testing)/.*", path)
    }


@pytest.mark.parametrize("page", PAGES)
def test_each_path_on_a_page_exists(page: str) -> None:
    made_by_its_owner = ("deploy/secrets", "deploy/airgap/wheels", "deploy/images.mk")  # not in a fresh clone

    assert [
        p for p in sorted(named_paths(page)) if not (ROOT / p).exists() and not p.startswith(made_by_its_owner)
    ] == []


@pytest.mark.parametrize("page", [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")])
def test_a_row_of_a_table_is_one_line(page: str) -> None:
    prose = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)

    assert re.findall(r"^\|.*[^|\n]$", prose, re.MULTILINE) == []


def test_the_rooms_of_the_architecture_are_those_on_disk() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = page.split("\n## The rooms\n")[1]
    for names, rooms in re.findall(r"^\| (`(?:services|shared)/.*?) \| (.*) \|$", table, re.MULTILINE):
        for folder in re.findall(r"`([^`]+)/`", names):
            on_disk = {path.parent.name for path in (ROOT / folder).glob("*/__init__.py")} - {"docs"}
            modules = {path.stem for path in (ROOT / folder).glob("*.py")}

            assert on_disk <= set(re.findall(r"`(\w+)`", rooms)), folder
            assert set(re.findall(r"`(\w+)`", rooms)) <= on_disk | modules | {"fab", "buildout"}, folder
