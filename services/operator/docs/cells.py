"""Table cells of the reference pages: types, defaults and texts."""

import re
from datetime import date
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic_core import PydanticUndefined

_TYPES = {str: "text", int: "whole number", float: "number", bool: "yes or no", Path: "path", date: "day"}


def type_cell(hint: Any) -> str:
    """Return the values that a type allows, in words."""
    if get_origin(hint) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(hint))
    parts = [part for part in get_args(hint) if part is not NoneType]
    if not parts:
        return _TYPES[hint]
    return type_cell(parts[0]) + (", may be repeated" if get_origin(hint) is list else "")


def default_cell(value: Any) -> str:
    """Return a default; an empty one is an empty cell."""
    if value is PydanticUndefined:
        return "required"
    if value is None or value is False or value == "":
        return ""
    if isinstance(value, list):
        return " ".join(f"`{each}`" for each in value)
    return f"`{value}`"


def text_cell(text: str) -> str:
    """Return a text with Markdown's marks escaped."""
    return re.sub(r"([<|*])", r"\\\1", text)
