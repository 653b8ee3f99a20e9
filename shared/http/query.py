"""What may be asked: a route's parameters, declared once, and by that read, checked and described."""

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import date
from functools import cache
from typing import Annotated, Any, NamedTuple, Self, get_args, get_origin, get_type_hints

from shared.http.problem import BAD_PARAMETER, Problem

_SHOWN_MAX = 80  # characters of what was given


class Form(ABC):
    """How a parameter is written."""

    @abstractmethod
    def read(self, text: str) -> Any:
        """Return what a text says; raise ValueError with what is allowed, to be read after "not"."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of it."""


@dataclass(frozen=True)
class Choice(Form):
    """One of some words, or of some whole numbers."""

    allowed: Sequence[str] | Sequence[int]

    def read(self, text: str) -> Any:
        for value in self.allowed:
            if str(value) == text:
                return value
        raise ValueError(f"one of {', '.join(map(str, self.allowed))}")

    def schema(self) -> dict[str, Any]:
        return {"type": "integer" if isinstance(self.allowed[0], int) else "string", "enum": list(self.allowed)}


@dataclass(frozen=True)
class SomeOf(Form):
    """Some of some words with commas between, each once; or none."""

    allowed: Sequence[str]

    def read(self, text: str) -> tuple[str, ...]:
        chosen = text.split(",") if text else []
        if len(set(chosen)) < len(chosen) or not set(chosen) <= set(self.allowed):
            raise ValueError(f"some of {', '.join(self.allowed)}, each once")
        return tuple(chosen)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string", "enum": list(self.allowed)}, "uniqueItems": True}


class Yes(Form):
    """Whether it is so."""

    def read(self, text: str) -> bool:
        if text not in ("false", "true"):
            raise ValueError("one of false, true")
        return text == "true"

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Whole(Form):
    """A whole number between two bounds."""

    least: int
    most: int

    def read(self, text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text) or not self.least <= int(text) <= self.most:
            raise ValueError(f"{self.least} to {self.most}")
        return int(text)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


class Day(Form):
    """A day of the calendar."""

    def read(self, text: str) -> date:
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
                return date.fromisoformat(text)
        except ValueError:
            pass
        raise ValueError("YYYY-MM-DD, a day of the calendar")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date"}


class Month(Form):
    """A month of the calendar: its first day."""

    _PATTERN = "[12][0-9]{3}-(0[1-9]|1[0-2])"

    def read(self, text: str) -> date:
        if not re.fullmatch(self._PATTERN, text):
            raise ValueError("YYYY-MM, a month of the calendar")
        return date.fromisoformat(text + "-01")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^({self._PATTERN})$"}


@dataclass(frozen=True)
class Text(Form):
    """Any text, or one of a pattern, which `meaning` says in words."""

    pattern: str = ""
    meaning: str = ""

    def read(self, text: str) -> str:
        if self.pattern and not re.fullmatch(self.pattern, text):
            raise ValueError(self.meaning)
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string"} | ({"pattern": f"^({self.pattern})$"} if self.pattern else {})


class Moment(Form):
    """A position, or a day."""

    def read(self, text: str) -> str:
        if not re.fullmatch(r"[0-9]{1,18}", text):
            try:
                Day().read(text)
            except ValueError:
                raise ValueError("a position (1234) or a day (2026-12-31)") from None
        return text

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 10**18 - 1}, Day().schema()]}


class Parameter(NamedTuple):
    """A parameter as it is declared."""

    name: str  # as it is asked
    field: str  # of the query: `from` is no name in Python
    form: Form
    meaning: str
    default: Any  # MISSING where it has to be given


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked of a route. A field is a parameter: `Annotated[type, form, meaning]`, and its default."""

    @classmethod
    @cache
    def parameters(cls) -> dict[str, Parameter]:
        """Return the parameters by name, in their order: those that a view has alone before those of every view."""
        hints, found = get_type_hints(cls, include_extras=True), {}
        own = [name for each in cls.__mro__ for name in inspect.get_annotations(each)]
        for field in sorted(fields(cls), key=lambda field: own.index(field.name)):
            hint = hints[field.name]
            assert get_origin(hint) is Annotated, f"{cls.__name__}.{field.name} has no form"
            _, form, meaning = get_args(hint)
            name = field.name.rstrip("_")
            found[name] = Parameter(name, field.name, form, meaning, field.default)
        return found

    @classmethod
    def read(cls, given: Iterable[tuple[str, str]]) -> Self:
        """Return what is asked; raise `Problem` where a parameter is unknown, given twice, missing or ill written."""
        known, values = cls.parameters(), dict[str, Any]()
        for name, text in given:
            parameter = known.get(name)
            if parameter is None:
                shown = name[:_SHOWN_MAX]
                there_are = ", ".join(known) or "none"
                raise Problem(BAD_PARAMETER, f"{shown!r} is no parameter here; there are {there_are}", parameter=shown)
            if parameter.field in values:
                raise Problem(BAD_PARAMETER, f"{name} is given twice", parameter=name)
            try:
                values[parameter.field] = parameter.form.read(text)
            except ValueError as why:
                detail = f"{name} is {text[:_SHOWN_MAX]!r}, not {why}"
                raise Problem(BAD_PARAMETER, detail, parameter=name) from None
        for parameter in known.values():
            if parameter.default is MISSING and parameter.field not in values:
                raise Problem(BAD_PARAMETER, f"{parameter.name} is missing", parameter=parameter.name)
        return cls(**values)
