"""The command line: all commands, by what they are for; each is a function that asks somebody else to do it."""

from collections.abc import Callable

import typer

from services.operator.commands import planner, record, stack
from services.operator.logs.logs import logs_command

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A live, provable balance of DRAM wafers between their suppliers and the AI data-centre sites that need them.",
)

_PANELS: dict[str, list[Callable[..., None]]] = {
    "What a planner asks": [
        planner.programme, planner.months, planner.sites, planner.site, planner.suppliers, planner.shortages,
        planner.alerts, planner.balances, planner.cover, planner.atp, planner.performance,
    ],
    "The record, and its proof": [
        record.event, record.trace, record.verify, record.checkpoint, record.record, record.replay, record.export,
        record.rebuild, record.rolling,
    ],
    "The stack": [
        stack.demo, stack.up, stack.status, logs_command, stack.publish, stack.report, stack.secrets, stack.schemas,
    ],
}  # fmt: skip
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(_command.__name__.removesuffix("_command"), rich_help_panel=_panel)(_command)
