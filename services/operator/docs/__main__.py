"""python -m services.operator.docs

Writes every generated document of this checkout anew, from the code, and prints the files that changed. It is no
command of `waferline`: it loads every service, to know all settings and routes, and the image of the command line
lacks some of their packages.
"""

from pathlib import Path

import typer

from services.operator.contracts.documents import write_contracts, write_texts
from services.operator.docs.api_examples import api_files
from services.operator.docs.commands_page import commands_page
from services.operator.docs.limits_page import limits_page
from services.operator.docs.settings_page import settings_page
from services.operator.docs.sheets_page import sheets_page

COMMANDS_PAGE, SETTINGS_PAGE = Path("docs/reference/commands.md"), Path("docs/reference/settings.md")
LIMITS_PAGE, SHEETS_PAGE = Path("docs/limits.md"), Path("docs/reference/sheets.md")


def reference_pages() -> dict[Path, str]:
    """Return the text of the pages of commands, settings, limits and sheets, by their place in the project."""
    pages = {COMMANDS_PAGE: commands_page, SETTINGS_PAGE: settings_page, LIMITS_PAGE: limits_page}
    return {place: page() for place, page in (pages | {SHEETS_PAGE: sheets_page}).items()}


if __name__ == "__main__":
    root = Path()
    for path in (*write_contracts(root), *write_texts(root, api_files(root) | reference_pages())):
        typer.echo(path)
