"""Do the tutorial and the how-to pages do what they show, on this machine?"""

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, blocks
from tests.docs.playing import BLOCK, commands, play

ROOT = Path(__file__).parents[2]
PLAYED = [
    "tutorial.md", "howto/read.md", "howto/replay.md", "howto/publish.md", "howto/watch.md", "howto/sheets.md",
]  # fmt: skip
TUTORIALS = ["tutorial.md", "own-programme.md"]  # the second asks nothing of another page
IN_CONTAINERS = ["howto/deploy.md"]  # played by tests/compose


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that is to whoever sits in it what a checkout is after the first `make`, without its data."""
    folder = tmp_path_factory.mktemp("waferline")
    for name in ("deploy", "docs", "scenarios", "tests"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("Makefile", "pyproject.toml", "requirements.txt"):
        shutil.copy2(ROOT / name, folder)
    (folder / ".venv/bin").mkdir(parents=True)
    ours = folder / ".venv/bin/waferline"
    ours.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m services.operator "$@"\n')
    ours.chmod(0o755)
    for stamp in ("installed", "ready"):
        (folder / ".venv" / stamp).touch()
    return folder


@pytest.fixture(scope="module")
def wrong_on() -> dict[str, list[str]]:
    """What was wrong on each page that was played."""
    return {}


def test_an_own_programme_goes_from_an_empty_folder_to_its_first_finding(checkout: Path) -> None:
    wrong = play("own-programme.md", checkout)

    assert not wrong, "\n\n".join(wrong)


def test_the_programme_that_the_page_shows_is_the_one_that_it_starts() -> None:
    [shown] = blocks((DOCS / "own-programme.md").read_text(encoding="utf-8"), "yaml")

    assert shown == (DOCS / "nordic/programme.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PLAYED)
def test_a_page_does_what_it_shows(checkout: Path, wrong_on: dict[str, list[str]], page: str) -> None:
    for each in PLAYED[: PLAYED.index(page) + 1]:  # a page asks what those before it have left
        if each not in wrong_on:
            wrong_on[each] = play(each, checkout)

    assert not wrong_on[page], "\n\n".join(wrong_on[page])


@pytest.mark.parametrize("page", TUTORIALS)
def test_the_figures_that_a_tutorial_speaks_of_were_shown_or_follow_from_them(page: str) -> None:
    prose = BLOCK.sub("", (DOCS / page).read_text(encoding="utf-8"))
    shown = "".join(command.shown or "" for command in commands(page))
    figures = r"[0-9][0-9,]*[0-9]"
    known = set(re.findall(figures, shown))
    for first, sign, second, result in re.findall(rf"({figures}) ([+−]) ({figures}) = ({figures})", prose):
        one, other, whole = (int(each.replace(",", "")) for each in (first, second, result))
        assert {first, second} <= known
        assert whole == (one + other if sign == "+" else one - other)
        known.add(result)

    assert {each for each in re.findall(figures, prose) if len(each) > 2} <= known


def test_every_page_that_has_commands_is_played() -> None:
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if "```console" in path.read_text()}

    assert pages == {*PLAYED, *TUTORIALS, *IN_CONTAINERS}
