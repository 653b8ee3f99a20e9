"""The reference page of all commands, docs/reference/commands.md."""

from collections.abc import Callable, Iterator
from typing import Any, get_type_hints

import typer

from services.operator.cli import app
from services.operator.commands.output import before_command
from services.operator.contracts.markdown import prose, table
from services.operator.docs.cells import default_cell, text_cell, type_cell

_EXAMPLE = "Example: "
_INTRODUCTION = """\
# The commands

<!-- Written by `make contracts` from the commands in services/operator: change that, not this page. -->

`waferline` stands for `.venv/bin/waferline`, and in containers for `make ask ARGS="..."`. Each command prints the same
with `--help`. A command that fails prints the reason and the next step in a line on standard error, and exits with 1;
with 2 where it was called wrongly."""


def commands_page() -> str:
    """Return the page, in Markdown."""
    before = table(("option", "value", "default", "meaning"), _options(typer.main.get_command(app), before_command))
    parts, panel = [_INTRODUCTION, "Options before the command, `waferline --locale de_DE months --csv`:", before], None
    for name, command in all_commands().items():
        if command.rich_help_panel != panel:
            panel = command.rich_help_panel
            parts.append(f"## {panel}")
        parts += _command(name, command)
    return "\n\n".join(parts) + "\n"


def all_commands() -> dict[str, Any]:
    """Return each command by its name; typer does not name its class."""
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    return commands


def _command(name: str, command: Any) -> Iterator[str]:
    paragraphs = [" ".join(paragraph.split()) for paragraph in command.help.split("\n\n")]
    examples = [each.removeprefix(_EXAMPLE) for each in paragraphs if each.startswith(_EXAMPLE)]
    yield f"### {name}"
    yield from (prose(text_cell(each)) for each in paragraphs if not each.startswith(_EXAMPLE))
    yield "\n".join(["```sh", *examples, "```"])
    yield table(("option", "value", "default", "meaning"), _options(command, command.callback))


def _options(command: Any, function: Callable[..., None]) -> list[tuple[str, ...]]:
    types = get_type_hints(function)
    return [
        (
            _option(param),
            "" if types[param.name] is bool else type_cell(types[param.name]),
            "required" if param.required else default_cell(param.default),
            text_cell(param.help or "") + (f" From `{param.envvar}`." if param.envvar else ""),
        )
        for param in command.params
        if not param.hidden and param.name in types
    ]


def _option(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{param.name.upper()}`"
    return ", ".join(f"`{opt}`" for opt in (*param.opts, *param.secondary_opts))
