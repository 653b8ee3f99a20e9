"""Does the site build, and does a link that leads nowhere end its build? It needs the extra `docs`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS

pytest.importorskip("mkdocs", reason="needs MkDocs: the extra `docs`")
pytest.importorskip("material", reason="needs MkDocs Material: the extra `docs`")

ROOT = DOCS.parent


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the pages, and of what they link to."""
    ignored = shutil.ignore_patterns("__pycache__", "wheels", "secrets")
    for path in (ROOT / name for name in ("contracts", "docs", "deploy", "scenarios", "services", "shared", "tests")):
        shutil.copytree(path, tmp_path / path.name, ignore=ignored)
    for path in [ROOT / "mkdocs.yml", *ROOT.glob("*.md")]:
        shutil.copy(path, tmp_path)
    return tmp_path


def build(project: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=project, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


def test_the_site_is_built_and_no_page_loads_anything_from_elsewhere(project: Path) -> None:
    done = build(project)

    pages = list((project / "build/docs").rglob("*.html"))
    assert done.returncode == 0, done.stderr
    assert len(pages) > 20
    assert not [page for page in pages if '<script src="https://' in page.read_text(encoding="utf-8")]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("docs/tutorial.md", "[a page](nowhere.md)"),
        ("docs/tutorial.md", "[an anchor](numbers.md#nowhere)"),
        ("docs/tutorial.md", "[an anchor of its own](#nowhere)"),
        ("docs/howto/read.md", "[a file of the project](../../shared/nowhere.py)"),
        ("README.md", "[a page from beside](docs/nowhere.md)"),
        ("README.md", "[a section of one](docs/numbers.md#nowhere)"),
        ("docs/tutorial.md", "![a picture](nowhere.svg)"),
        ("docs/tutorial.md", "[an address](http://example.org/)"),
        ("docs/tutorial.md", "[an address](https://nowhere)"),
        ("docs/tutorial.md", '<img src="https://example.org/a.png">'),
    ],
)
def test_a_link_that_leads_nowhere_ends_the_build(project: Path, page: str, text: str) -> None:
    with (project / page).open("a", encoding="utf-8") as file:
        file.write(f"\n{text}\n")

    assert build(project).returncode != 0


def test_a_page_without_a_place_ends_the_build(project: Path) -> None:
    (project / "docs/forgotten.md").write_text("# Forgotten\n", encoding="utf-8")

    assert build(project).returncode != 0
