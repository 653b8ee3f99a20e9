"""Queries of a route: parameters declared once, from which they are read, checked and documented."""

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import date
from functools import cache
from typing import Annotated, Any, NamedTuple, Self, get_args, get_origin, get_type_hints

from shared.http.problem import BAD_PARAMETER, Problem

_SHOWN_LENGTH_MAX = 80  # characters of a given name or value


class Form(ABC):
    """The form of a parameter's value."""

    @abstractmethod
    def read(self, text: str) -> Any:
        """Return the value of a text; raise ValueError with the values allowed, as words that follow "not"."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of it."""


@dataclass(frozen=True)
class Choice(Form):
    """One of the words or whole numbers in `allowed`."""

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
    """Any of the words in `allowed`, each once, separated by commas."""

    allowed: Sequence[str]

    def read(self, text: str) -> tuple[str, ...]:
        chosen = text.split(",") if text else []
        if len(set(chosen)) < len(chosen) or not set(chosen) <= set(self.allowed):
            raise ValueError(f"some of {', '.join(self.allowed)}, each once")
        return tuple(chosen)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string", "enum": list(self.allowed)}, "uniqueItems": True}


class Yes(Form):
    """A boolean."""

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
    """Any text, or one of a pattern, which `meaning` puts in words."""

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
    """A parameter of a query."""

    name: str  # in a URL
    field: str  # of the query: `from` is no name in Python
    form: Form
    meaning: str
    default: Any  # MISSING: the parameter is required


@dataclass(frozen=True, kw_only=True)
class Query:
    """The query of a route. A field is a parameter: `Annotated[type, form, meaning]`, and its default."""

    @classmethod
    @cache
    def parameters(cls) -> dict[str, Parameter]:
        """Return the parameters by name: a view's own before those of every view."""
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
        """Return the query; raise `Problem` where a parameter is unknown, given twice, missing or invalid."""
        parameters, values = cls.parameters(), dict[str, Any]()
        for name, text in given:
            parameter = parameters.get(name)
            if parameter is None:
                shown = name[:_SHOWN_LENGTH_MAX]
                names = ", ".join(parameters) or "none"
                raise Problem(BAD_PARAMETER, f"{shown!r} is no parameter here; there are {names}", parameter=shown)
            if parameter.field in values:
                raise Problem(BAD_PARAMETER, f"{name} is given twice", parameter=name)
            try:
                values[parameter.field] = parameter.form.read(text)
            except ValueError as why:
                detail = f"{name} is {text[:_SHOWN_LENGTH_MAX]!r}, not {why}"
                raise Problem(BAD_PARAMETER, detail, parameter=name) from None
        for parameter in parameters.values():
            if parameter.default is MISSING and parameter.field not in values:
                raise Problem(BAD_PARAMETER, f"{parameter.name} is missing", parameter=parameter.name)
        return cls(**values)
