"""The command line `waferline`: all commands, by panel of its help.

A command imports the modules that it runs inside its function, so that --help and each query start quickly.
"""

import re
from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

from services.operator.commands import declared, lines, logs, planner, proof, record, sheets, stack
from services.operator.commands.morning import footprint, parties, remarks, report, since, worklist
from services.operator.commands.output import before_command

_TYPE_WIDTH = 22  # of a column of types beside which the texts of 80 columns have room
_LINE_BREAK = re.compile(r"(?<!\n)\n(?!\n)")


class FittedCommand(TyperCommand):
    """A command with help of 80 columns: long choices stand in words, and a paragraph wraps where the line ends."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help; the command ends with it."""
        params: list[Any] = self.params
        for param in params:
            choices = param.type_descriptor.choices
            if choices and param.show_choices and len(param.display_type(ctx)) > _TYPE_WIDTH:
                param.show_choices = False
                param.help = f"{(param.help or '').removesuffix('.')}: {', '.join(map(str, choices))}."
        self.help = _LINE_BREAK.sub(" ", self.help or "")
        super().format_help(ctx, formatter)


app = typer.Typer(
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    callback=before_command,
)

_PANELS: dict[str, list[Callable[..., None]]] = {
    "Planning": [
        planner.programme, since.since, worklist.worklist, report.report, planner.months, planner.sites, planner.site,
        parties.parties, footprint.footprint, planner.suppliers, planner.shortages,
        planner.bridge, lines.lines, planner.alerts, remarks.acknowledge, remarks.note, remarks.remarks,
        lines.watermarks, planner.balances, planner.cover, planner.atp,
        planner.performance,
    ],
    "Record and proof": [
        proof.event, proof.trace, proof.verify, proof.checkpoint, record.record, record.replay, record.export,
        record.rebuild, record.rolling,
    ],
    "Stack": [
        declared.init, stack.demo, stack.up, stack.status, logs.logs, stack.publish, sheets.import_, lines.advance,
        declared.declare, stack.results, declared.deployment, stack.secrets, stack.schemas,
    ],
}  # fmt: skip
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(_command.__name__.rstrip("_"), cls=FittedCommand, rich_help_panel=_panel)(_command)
