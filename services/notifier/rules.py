"""Rules of the notifier: which alerts go to which targets, at once or in a daily digest."""

from collections.abc import Mapping
from datetime import time
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from shared.wire.alerts import AlertChange, AlertCode, Status

_STRICT = ConfigDict(frozen=True, extra="forbid")
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._\-]{0,63}$")]


class RulesError(ValueError):
    """The file of rules has a fault; the message gives its place and reason."""


class Target(BaseModel):
    """A place to send to: an address as Apprise takes it, or the file that holds it, as it may have a password."""

    model_config = _STRICT

    url: str = ""
    url_file: Path | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Target":
        if bool(self.url) == (self.url_file is not None):
            raise ValueError("give one of url and url_file")
        return self

    def address(self) -> str:
        """Return the address; raise OSError where its file cannot be read."""
        return self.url if self.url_file is None else self.url_file.read_text(encoding="utf-8").strip()


class Rule(BaseModel):
    """A subscription: the alerts that it takes, and where they go."""

    model_config = _STRICT

    name: _Name
    to: Annotated[list[_Name], Field(min_length=1)]
    codes: list[AlertCode] = []  # none: all
    products: list[str] = []  # none: all; an alert that names no product concerns all
    sites: list[str] = []
    suppliers: list[str] = []
    least_wafers: int = 0  # alerts of fewer wafers are left out; those that count none stay
    status: list[Literal["raised", "cleared"]] = ["raised", "cleared"]
    # at once where there is none; with an offset ("06:00+09:00") it is of that zone, else UTC
    digest_at: time | None = None

    @field_validator("digest_at", mode="before")
    @classmethod
    def _is_text(cls, value: object) -> object:
        if isinstance(value, int):
            raise ValueError('write the hour as a text, "10:00": YAML reads 10:00 as the number 600')  # noqa: TRY004
        return value

    def takes(self, change: AlertChange) -> bool:
        """Return whether a raised alert is one of those that the rule takes."""
        named = {"product": self.products, "site": self.sites, "supplier": self.suppliers}
        return (
            (not self.codes or change.code in self.codes)
            and all(not only or change.subject.get(part, only[0]) in only for part, only in named.items())
            and change.detail.get("wafers", self.least_wafers) >= self.least_wafers
        )

    def sends(self, status: Status) -> bool:
        """Return whether the rule sends alerts that are raised, or cleared."""
        return status in self.status


class Rules(BaseModel):
    """The targets and the rules of a file."""

    model_config = _STRICT

    targets: dict[_Name, Target]
    rules: list[Rule]

    @model_validator(mode="after")
    def _all_named(self) -> "Rules":
        names = [rule.name for rule in self.rules]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rules are named {name}")
        for rule in self.rules:
            for target in rule.to:
                if target not in self.targets:
                    raise ValueError(f"rule {rule.name} sends to {target}, which is no target")
        return self


NO_RULES = Rules(targets={}, rules=[])


def read_rules_file(path: Path) -> Rules:
    """Return the rules of a file; the files of its addresses are named from its folder. Raises `RulesError`."""
    try:
        rules = read_rules(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as why:
        raise RulesError(f"{path} cannot be read ({getattr(why, 'strerror', None) or why})") from why
    targets = {
        name: each if each.url_file is None else each.model_copy(update={"url_file": path.parent / each.url_file})
        for name, each in rules.targets.items()
    }
    return rules.model_copy(update={"targets": targets})


def read_rules(text: str, name: str) -> Rules:
    """Return the rules of a YAML text; raise `RulesError` with the place and reason of each fault."""
    try:
        raw = yaml.safe_load(text)
        if not isinstance(raw, Mapping):
            raise RulesError(f"{name}: it begins with `targets:` and `rules:`")
        return Rules.model_validate(raw)
    except yaml.YAMLError as why:
        mark = getattr(why, "problem_mark", None)  # not the error's text, which quotes the line: it may have a password
        line = "" if mark is None else f", line {mark.line + 1}"
        raise RulesError(f"{name}{line}: is no YAML: {getattr(why, 'problem', None) or 'it cannot be read'}") from None
    except ValidationError as why:
        faults = [
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}"
            for fault in why.errors(include_url=False, include_input=False)
        ]
        raise RulesError(
            f"{name}: {'; '.join(faults)}"
        ) from None  # its text quotes the input, which may have a password
