"""The reference page of all settings, docs/reference/settings.md."""

import typer
from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from services.aggregator.settings import AggregatorSettings
from services.console.settings import ConsoleSettings
from services.ledger.settings import LedgerSettings
from services.operator.cli import app
from services.operator.contracts.markdown import table
from services.operator.docs.cells import default_cell, text_cell, type_cell
from services.operator.docs.commands_page import all_commands
from services.planner.settings import PlannerSettings
from shared.party.settings import PartySettings
from shared.process.settings import ServiceSettings

PREFIX = str(ServiceSettings.model_config["env_prefix"])
SETTINGS: dict[str, type[ServiceSettings]] = {
    "Every service": ServiceSettings,
    "The ledger": LedgerSettings,
    "The aggregator": AggregatorSettings,
    "The console": ConsoleSettings,
    "A party: supplier, data-centre group or planner": PartySettings,
    "A planner": PlannerSettings,
}
"""The settings classes by their heading; each also has the settings of the classes that it extends."""

_INTRODUCTION = """\
# The settings

<!-- Written by `make contracts` from the settings classes of the services: change that, not this page. -->

A service reads its settings once, when it starts, from its environment; an empty setting has its default. Each default
works on a laptop. [Deployment](../deployment.md) names the settings that matter where others can reach a service."""
_COMMAND_LINE = """\
## The command line

An option that is not given is taken from its variable. Where a stack requires tokens, TLS or passwords, the command
line reads the settings of a service: `WAFERLINE_TOKEN_FILE`, `WAFERLINE_TLS_CA_FILE`, `WAFERLINE_STORE_PASSWORD_FILE`
([how](../deployment.md#tokens))."""


def settings_page() -> str:
    """Return the page, in Markdown."""
    parts = [_INTRODUCTION]
    for title, settings in SETTINGS.items():
        parts += [f"## {title}", table(("setting", "value", "default", "meaning"), _settings(settings))]
    return "\n\n".join([*parts, _COMMAND_LINE, table(("variable", "option", "of", "meaning"), _variables())]) + "\n"


def _settings(settings: type[ServiceSettings]) -> list[tuple[str, ...]]:
    """Return a row for each setting that the class adds, or gives another default."""
    parent = settings.__mro__[1]
    inherited = parent.model_fields if issubclass(parent, ServiceSettings) else {}
    return [
        (
            f"`{PREFIX}{name.upper()}`",
            type_cell(field.annotation) + _bounds(field),
            default_cell(field.get_default()),
            text_cell(field.description or ""),
        )
        for name, field in settings.model_fields.items()
        if name not in inherited or field.get_default() != inherited[name].get_default()
    ]


def _variables() -> list[tuple[str, ...]]:
    """Return a row for each variable that gives an option its value, with the commands that have the option."""
    commands_by_option: dict[tuple[str, str, str], list[str]] = {
        (param.envvar, param.opts[0], getattr(param, "help", "")): []
        for param in typer.main.get_command(app).params
        if isinstance(param.envvar, str)
    }
    for name, command in all_commands().items():
        for param in command.params:
            if param.envvar:
                commands_by_option.setdefault((param.envvar, param.opts[0], param.help), []).append(name)
    return [
        (
            f"`{variable}`",
            f"`{option}`",
            ", ".join(f"[{name}](commands.md#{name})" for name in names) or "all",
            text_cell(meaning),
        )
        for (variable, option, meaning), names in sorted(commands_by_option.items())
    ]


def _bounds(field: FieldInfo) -> str:
    """Return the bounds of a number, in words."""
    low = "".join(
        f", {bound.ge:,} or more" if isinstance(bound, Ge) else f", above {bound.gt:,}"
        for bound in field.metadata
        if isinstance(bound, Ge | Gt)
    )
    return low + "".join(f", {bound.le:,} at most" for bound in field.metadata if isinstance(bound, Le))
