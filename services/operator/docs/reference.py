"""python -m services.operator.docs.reference: writes the pages of all commands and settings, as the code declares them.

No command of `waferline` does it: to know all settings it loads every service, and the command line's image does not.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer
from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from services.aggregator.settings import AggregatorSettings
from services.console.app import ConsoleSettings
from services.datacenter.app import DatacenterSettings
from services.ledger.app import LedgerSettings
from services.operator.cli import app
from services.operator.contracts.schemas import write_texts
from services.supplier.app import SupplierSettings
from shared.party.party import PartySettings
from shared.process.settings import ServiceSettings

COMMANDS_PAGE, SETTINGS_PAGE = Path("docs/reference/commands.md"), Path("docs/reference/settings.md")
PREFIX = str(ServiceSettings.model_config["env_prefix"])
SETTINGS: dict[str, type[ServiceSettings]] = {
    "Every service": ServiceSettings,
    "The ledger": LedgerSettings,
    "The aggregator": AggregatorSettings,
    "The console": ConsoleSettings,
    "A party: supplier or data-centre group": PartySettings,
    "A supplier": SupplierSettings,
    "A data-centre group": DatacenterSettings,
}
"""Whose settings they are; each also has those of the classes that it extends."""

_TYPES = {str: "text", int: "whole number", float: "number", bool: "yes or no", Path: "path", date: "day"}
_EXAMPLE = "Example: "
_WRITTEN = "<!-- Written by `make contracts` from {0}: change that, not this page. -->"
_OF_COMMANDS = f"""\
# The commands

{_WRITTEN.format("the commands in services/operator")}

`waferline` stands for `.venv/bin/waferline`, and in containers for `make ask ARGS="..."`. Each command says the same
with `--help`. One that cannot do what was asked says why and what to do next in a line on standard error, and exits
with 1; with 2 where it was called wrongly."""
_OF_SETTINGS = f"""\
# The settings

{_WRITTEN.format("the settings classes of the services")}

A service reads them once, when it starts, from its environment; one that is set to nothing has its default. Each
default works on a laptop. [Deployment](../deployment.md) says which ones matter where others can reach a service."""
_OF_COMMAND_LINE = """\
## The command line

An option that is not given is taken from its variable. To get in where tokens, TLS or passwords are asked for, the
command line reads the settings that a service would: `WAFERLINE_TOKEN_FILE`, `WAFERLINE_TLS_CA_FILE`,
`WAFERLINE_STORE_PASSWORD_FILE` ([how](../deployment.md#tokens))."""


def reference_pages() -> dict[Path, str]:
    """Return the text of each page by its place in the project."""
    commands = all_commands()
    return {COMMANDS_PAGE: _commands_page(commands), SETTINGS_PAGE: _settings_page(commands)}


def all_commands() -> dict[str, Any]:
    """Return each command by its name; typer does not say what its class is."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return commands


# ---------------------------------------------------------------- the commands


def _commands_page(commands: dict[str, Any]) -> str:
    parts = [_OF_COMMANDS]
    panel = None
    for name, command in commands.items():
        if command.rich_help_panel != panel:
            panel = command.rich_help_panel
            parts.append(f"## {panel}")
        parts += _command(name, command)
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: Any) -> Iterator[str]:
    paragraphs = [" ".join(paragraph.split()) for paragraph in command.help.split("\n\n")]
    examples = [each.removeprefix(_EXAMPLE) for each in paragraphs if each.startswith(_EXAMPLE)]
    yield f"### {name}"
    yield from (_text(each) for each in paragraphs if not each.startswith(_EXAMPLE))
    yield "\n".join(["```sh", *examples, "```"])
    types = get_type_hints(command.callback)
    rows = [
        (
            _option(param),
            "" if types[param.name] is bool else _type(types[param.name]),
            "to be given" if param.required else _default(param.default),
            _text(param.help or "") + (f" From `{param.envvar}`." if param.envvar else ""),
        )
        for param in command.params
        if not param.hidden
    ]
    yield _table(("option", "value", "default", "meaning"), rows)


def _option(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{param.name.upper()}`"
    return ", ".join(f"`{opt}`" for opt in (*param.opts, *param.secondary_opts))


# ---------------------------------------------------------------- the settings


def _settings_page(commands: dict[str, Any]) -> str:
    parts = [_OF_SETTINGS]
    for title, settings in SETTINGS.items():
        inherited = settings.__mro__[1]
        of_parent = inherited.model_fields if issubclass(inherited, ServiceSettings) else {}
        rows = [
            (f"`{PREFIX}{name.upper()}`", _type(field.annotation) + _bounds(field), _default(field.get_default()),
             _text(field.description or ""))
            for name, field in settings.model_fields.items()
            if name not in of_parent or field.get_default() != of_parent[name].get_default()
        ]  # fmt: skip
        parts += [f"## {title}", _table(("setting", "value", "default", "meaning"), rows)]
    takers: dict[tuple[str, str, str], list[str]] = {}
    for name, command in commands.items():
        for param in command.params:
            if param.envvar:
                takers.setdefault((param.envvar, param.opts[0], param.help), []).append(name)
    rows = [
        (f"`{variable}`", f"`{option}`", ", ".join(f"[{name}](commands.md#{name})" for name in names), _text(what))
        for (variable, option, what), names in sorted(takers.items())
    ]
    parts += [_OF_COMMAND_LINE, _table(("variable", "option", "of", "meaning"), rows)]
    return "\n\n".join(parts) + "\n"


def _bounds(field: FieldInfo) -> str:
    """Return what a number may be, in words."""
    low = "".join(
        f", {bound.ge:,} or more" if isinstance(bound, Ge) else f", above {bound.gt:,}"
        for bound in field.metadata
        if isinstance(bound, Ge | Gt)
    )
    return low + "".join(f", {bound.le:,} at most" for bound in field.metadata if isinstance(bound, Le))


# ---------------------------------------------------------------- words


def _type(hint: Any) -> str:
    """Return in words what a value may be."""
    if get_origin(hint) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(hint))
    parts = [part for part in get_args(hint) if part is not NoneType]
    if not parts:
        return _TYPES[hint]
    return _type(parts[0]) + (", may be repeated" if get_origin(hint) is list else "")


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "to be given"
    if value is None or value is False or value == "":
        return ""
    if isinstance(value, list):
        return " ".join(f"`{each}`" for each in value)
    return f"`{value}`"


def _text(text: str) -> str:
    """Return a text as Markdown that shows it as it is."""
    return re.sub(r"([<|*])", r"\\\1", text)


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


if __name__ == "__main__":
    for path in write_texts(Path(), reference_pages()):
        typer.echo(path)
