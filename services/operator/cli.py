"""The command line `waferline`: all commands, by panel of its help.

A command imports the modules that it runs inside its function, so that --help and each query start quickly.
"""

from collections.abc import Callable

import typer

from services.operator.commands import declared, lines, logs, planner, proof, record, sheets, stack
from services.operator.commands.output import before_command

app = typer.Typer(
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    callback=before_command,
)

_PANELS: dict[str, list[Callable[..., None]]] = {
    "Planning": [
        planner.programme, planner.months, planner.sites, planner.site, planner.suppliers, planner.shortages,
        planner.bridge, lines.lines, planner.alerts, lines.watermarks, planner.balances, planner.cover, planner.atp,
        planner.performance,
    ],
    "Record and proof": [
        proof.event, proof.trace, proof.verify, proof.checkpoint, record.record, record.replay, record.export,
        record.rebuild, record.rolling,
    ],
    "Stack": [
        declared.init, stack.demo, stack.up, stack.status, logs.logs, stack.publish, sheets.import_, lines.advance,
        declared.declare, stack.report, declared.deployment, stack.secrets, stack.schemas,
    ],
}  # fmt: skip
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(_command.__name__.rstrip("_"), rich_help_panel=_panel)(_command)
