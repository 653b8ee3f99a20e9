"""Options before any command: the version, the locale of CSV; standard output in any encoding; and workbooks."""

import codecs
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from io import TextIOWrapper
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.operator.commands.errors import report_errors
from services.operator.stack.errors import StackError
from shared.http.tabular import CSV_STYLE, UnknownLocale, csv_style

if TYPE_CHECKING:
    from rich.console import RenderableType

    from shared.http.workbook import ViewSheet

_DRAWN = dict(zip("–—−→┃│─┼·░▒▓▁▂▃▄▅▆▇█×²…’“”", '--->||-+.:+*_.,-=+*#x2.\'""', strict=True))  # noqa: RUF001


def before_command(
    context: typer.Context,
    locale: Annotated[
        str | None,
        typer.Option(
            envvar="WAFERLINE_LOCALE",
            help="Write --csv for a spreadsheet of this locale (de_DE): its delimiter and decimal mark, a byte order "
            "mark.",
        ),
    ] = None,
    version_: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """A live, provable balance of DRAM wafers between their suppliers and the AI data-centre sites that need them."""
    if version_:
        typer.echo(f"waferline {version('waferline')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)
    with report_errors():
        try:
            CSV_STYLE.set(csv_style(locale) if locale else None)
        except UnknownLocale as why:
            raise StackError(str(why)) from why


def command_name() -> str:
    """Return `waferline` as it is typed in this shell."""
    return "waferline" if which("waferline") else ".venv/bin/waferline"


def open_output() -> None:
    """Have standard output and error print any text: a character that their encoding lacks becomes a like one."""
    codecs.register_error("waferline", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="waferline")


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII of the same width for the characters of a text that cannot be encoded."""
    assert isinstance(error, UnicodeEncodeError)
    return "".join(map(ascii_of, error.object[error.start : error.end])), error.end


def ascii_of(character: str) -> str:
    """Return the character of ASCII that looks most like another."""
    base = unicodedata.normalize("NFKD", character)[0]
    return _DRAWN.get(character) or (base if base.isascii() else "?")


def expect_output(*, json_: bool, csv_: bool, xlsx: Path | None) -> None:
    """Raise, before a command states anything, where its answer could not be put out."""
    from services.operator.stack.new_file import expect_absent, expect_ending

    if json_ + csv_ + (xlsx is not None) > 1:
        raise typer.BadParameter("choose one of them", param_hint="--json, --csv, --xlsx")
    if xlsx is not None:
        expect_ending(xlsx, ".xlsx")
        expect_absent(xlsx)


def put_out(
    answer: Any,
    rows: Sequence[Mapping[str, Any]],
    tables: "Iterable[RenderableType]",
    *,
    json_: bool,
    csv_: bool,
    xlsx: Path | None,
) -> None:
    """Print an answer as JSON, its rows as CSV, or its tables; or write these into a new workbook, a sheet each."""
    from services.operator.show.printing import print_answer, table_sheets

    if xlsx is None:
        print_answer(answer, rows, tables, json_=json_, csv_=csv_)
        return
    with report_errors():
        expect_output(json_=json_, csv_=csv_, xlsx=xlsx)
        save_workbook(xlsx, table_sheets(tables))


def save_workbook(target: Path, sheets: "Sequence[ViewSheet]") -> None:
    """Write a new workbook, and print its name; raise `StackError` where it cannot be written."""
    from services.operator.show.table import open_console
    from services.operator.stack.new_file import expect_absent, expect_ending, new_file
    from shared.http.workbook import TooManyRows, write_workbook

    expect_ending(target, ".xlsx")
    expect_absent(target)
    try:
        content = write_workbook(sheets)
    except TooManyRows as why:
        raise StackError(f"{why}; choose fewer, or --csv") from why
    with new_file(target) as part:
        part.write_bytes(content)
    names = ", ".join(sheet.title for sheet in sheets)
    open_console().print(f"{len(sheets)} sheets in {target}: {names}", highlight=False, soft_wrap=True, markup=False)
