"""The pictures of the documentation are those that `make screenshots` takes."""

import re
from pathlib import Path

from tests.browser.screenshots import IMPORTS, TO, VIEWS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]


def test_each_picture_that_a_page_shows_is_taken_and_each_one_taken_is_shown():
    shown = {
        name for page in PAGES for name in re.findall(r"pictures/([a-z-]+)\.png", page.read_text(encoding="utf-8"))
    }
    taken = {name for name, *_ in VIEWS} | {name for name, _ in IMPORTS}

    assert shown - taken == set()
    assert taken - shown <= {"lines-phone", "import-phone", "calendar-phone"}  # taken to be looked at
    assert shown <= {file.stem for file in (DOCS.parent / TO).glob("*.png")}
