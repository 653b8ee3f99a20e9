"""Options before any command: the version, the locale of CSV; and standard output in any encoding."""

import codecs
import sys
import unicodedata
from importlib.metadata import version
from io import TextIOWrapper
from typing import Annotated

import typer

from services.operator.commands.errors import report_errors
from services.operator.show.printing import CSV_STYLE
from services.operator.stack.errors import StackError
from shared.http.tabular import UnknownLocale, csv_style

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
