"""The profile of a partner: the meaning of its names, units, dates and habits; checked when it is read."""

import re
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar, cast, get_args

import yaml

from shared.documents.columns import TERMS
from shared.documents.tables.values import DateOrder, shown
from shared.documents.units import ROUNDINGS, SIZED, UNIT_NAMES, WSE, Rounding, Unit, UnitName

BYTES_MAX = 256 * 1024
Edge = Literal["start", "end"]
Entry = TypeVar("Entry")

_EMPTY: Mapping[str, Any] = MappingProxyType({})


class Item(NamedTuple):
    """A partner's item: the product that it is, and its units."""

    product: str
    units: Mapping[str, Unit] = _EMPTY  # by the partner's name of the unit; "" where it names none
    rounding: Rounding | None = None


class Profile(NamedTuple):
    """The meaning of a partner's words. The default takes a sheet with our own column names and whole wafers."""

    partner: str = ""
    columns: Mapping[str, tuple[str, ...]] = _EMPTY
    defaults: Mapping[str, str] = _EMPTY
    codes: Mapping[str, Mapping[str, str]] = _EMPTY
    parties: Mapping[str, str] = _EMPTY
    items: Mapping[str, Item] = _EMPTY
    units: Mapping[str, Unit] = _EMPTY
    unit: Unit = WSE
    rounding: Rounding = "exact"
    dates: DateOrder | None = None
    decimal: str | None = None
    sheet: str = ""
    header_row: int = 0
    bucket_due: Edge = "start"
    replace: bool = False
    lead_days: Mapping[str, int] = _EMPTY
    priority: int = 5


FIELDS: dict[str, str] = {
    "partner": "the name of the partner, for messages",
    "columns": "`field: header`, or a list of headers, where the sheet does not use our names",
    "defaults": "`field: value` for a column that the sheet lacks, and for an empty cell",
    "codes": "`field: {their word: ours}`, such as `firmness: {confirmed: firm}`",
    "parties": "`their name: ours`, of sites, suppliers and owners",
    "items": "`their item: {product: ..., unit: ..., rounding: ...}`; `unit` may be `{their unit: unit}`",
    "units": "`their unit: unit`, for the column `unit`",
    "unit": "the unit of a quantity without one: `wse` (default), `stack`, `die`, `gb`, `gbit`, `gb: 64`, `gbit: 16`, "
    "`per_wafer: 500`",
    "rounding": "`exact` (default: a fraction of a wafer is a problem), `nearest` (each bucket, half up) or `carry` "
    "(the cumulative of each product, site and supplier)",
    "dates": "`DMY`, `MDY` or `ISO`, for days such as 03/04/2026",
    "decimal": "`.` or `,`, for numbers such as 1.200",
    "sheet": "the sheet of a workbook; left out: the first that is not hidden",
    "header_row": "the row of the header; left out: the one of the first 30 that names most columns",
    "bucket_due": "`start` (default) or `end`: the day of a week or a month on which its wafers are due",
    "replace": "`true`: a line of the same product, site and supplier that is absent, within the first and last day of "
    "the sheet, is withdrawn",
    "lead_days": "`product: days` between the last start and the due day of an order",
    "priority": "the priority of an order without one, 1 to 9; 5",
}
"""The fields of a profile that sheets use, each with its meaning."""

OTHER_FIELDS = frozenset({"envelope", "speaks", "zone", "transit_days", "jit", "shipment_from", "tolerate", "resets"})
"""Fields of other formats, which sheets do not use."""


class ProfileRefused(Exception):
    """A profile is wrong; the message names the file, the path in it and the reason."""


class _Wrong(Exception):
    """A value of a profile is wrong; has its path and the reason."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(reason)


class _ProfileLoader(yaml.SafeLoader):
    """YAML without aliases, which can unfold without end, and without a key that is named twice."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="an alias is not taken", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        names = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in names:
                    raise yaml.MarkedYAMLError(
                        problem=f"{shown(key.value)} is named twice", problem_mark=key.start_mark
                    )
                names.add(key.value)
        return super().construct_mapping(node, deep=deep)


def read_profile(text: str | bytes, name: str = "profile") -> Profile:
    """Return the profile of a YAML text; raise `ProfileRefused` for the first thing wrong."""
    if len(text) > BYTES_MAX:
        raise ProfileRefused(f"{name}: is larger than {BYTES_MAX // 1024} KiB")
    try:
        value = yaml.load(text, _ProfileLoader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ProfileRefused(f"{name}{line}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a day that no calendar has is a ValueError
        raise ProfileRefused(f"{name}: is no YAML: {' '.join(str(error).split())[:200]}") from None
    try:
        return _profile(_mapping(value or {}, ""))
    except _Wrong as wrong:
        raise ProfileRefused(f"{name}, {wrong.path or 'the whole'}: {wrong.reason}") from None


def _profile(fields: Mapping[str, Any]) -> Profile:
    for field in fields:
        if field not in FIELDS and field not in OTHER_FIELDS:
            raise _Wrong(field, f"is no field of a profile; they are {', '.join(FIELDS)}")
    known = {field: _READERS[field](value, field) for field, value in fields.items() if field in FIELDS}
    return Profile(**known)


# ---------------------------------------------------------------- values of a field


def _mapping(value: object, path: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong(path, f"is {shown(value)}, not a mapping")
    return {_text(key, f"{path}.{key}" if path else str(key)): inner for key, inner in value.items()}


def _each(read: Callable[[object, str], Entry]) -> Callable[[object, str], Mapping[str, Entry]]:
    def read_each(value: object, path: str) -> Mapping[str, Entry]:
        return {key: read(inner, f"{path}.{key}") for key, inner in _mapping(value, path).items()}

    return read_each


def _text(value: object, path: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _Wrong(path, f"is {shown(value)}, not a text: write it in quotation marks")
    return str(value).strip()


def _headers(value: object, path: str) -> tuple[str, ...]:
    headers = value if isinstance(value, list) else [value]
    if not headers:
        raise _Wrong(path, "names no header")
    return tuple(_text(header, path) for header in headers)


def _columns(value: object, path: str) -> Mapping[str, tuple[str, ...]]:
    return _of_columns(_each(_headers)(value, path), path)


def _of_columns(fields: Mapping[str, Entry], path: str) -> Mapping[str, Entry]:
    names = {column.name for terms in TERMS.values() for column in terms.columns}
    for field in fields:
        if field not in names:
            raise _Wrong(f"{path}.{field}", f"is no column of any kind; they are {', '.join(sorted(names))}")
    return fields


def _one_of(*choices: str) -> Callable[[object, str], Any]:
    def read_choice(value: object, path: str) -> str:
        if not isinstance(value, str) or value not in choices:
            raise _Wrong(path, f"is {shown(value)}, and must be one of {', '.join(choices)}")
        return value

    return read_choice


def _number(least: int, most: int) -> Callable[[object, str], int]:
    def read_number(value: object, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise _Wrong(path, f"is {shown(value)}, and must be a whole number from {least} to {most}")
        return value

    return read_number


def _flag(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise _Wrong(path, f"is {shown(value)}, and must be true or false")
    return value


def _unit(value: object, path: str) -> Unit:
    if isinstance(value, str) and value in UNIT_NAMES and value != "per_wafer":
        return Unit(cast("UnitName", value))
    if isinstance(value, dict) and len(value) == 1:
        ((name, size),) = value.items()
        if name in SIZED:
            return Unit(name, _size(size, f"{path}.{name}"))
    raise _Wrong(path, f"is {shown(value)}, and must be wse, stack, die, gb, gbit, or one of gb, gbit, per_wafer: n")


def _size(value: object, path: str) -> Fraction:
    """Return an exact number above 0; a float is taken as it is written."""
    text = repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(r"(?a)\d{1,15}(\.\d{1,15})?(/\d{1,15})?", text):
        raise _Wrong(path, f"is {shown(value)}, and must be a number above 0 such as 64 or '0.5'")
    top, _, bottom = text.partition("/")
    if not Decimal(top) or (bottom and not int(bottom)):
        raise _Wrong(path, f"is {shown(value)}, and must be above 0")
    return Fraction(top) / int(bottom or 1)


def _item(value: object, path: str) -> Item:
    if isinstance(value, str):
        return Item(value.strip())
    fields = _mapping(value, path)
    for field in fields:
        if field not in ("product", "unit", "rounding"):
            raise _Wrong(f"{path}.{field}", "is no field of an item; they are product, unit, rounding")
    if "product" not in fields:
        raise _Wrong(path, "has no product")
    unit = fields.get("unit")
    is_many = isinstance(unit, dict) and not (len(unit) == 1 and next(iter(unit)) in SIZED)
    if unit is None:
        units: Mapping[str, Unit] = {}
    elif is_many:
        units = {_name(key): each for key, each in _each(_unit)(unit, f"{path}.unit").items()}
        if len(set(units.values())) == 1:
            units |= {"": next(iter(units.values()))}
    else:
        units = {"": _unit(unit, f"{path}.unit")}
    rounding = _one_of(*ROUNDINGS)(fields["rounding"], f"{path}.rounding") if "rounding" in fields else None
    return Item(_text(fields["product"], f"{path}.product"), units, rounding)


def _name(text: str) -> str:
    """Return a name of a unit as it is compared: without regard to case."""
    return text.strip().casefold()


def _units(value: object, path: str) -> Mapping[str, Unit]:
    return {_name(key): unit for key, unit in _each(_unit)(value, path).items()}


def _codes(value: object, path: str) -> Mapping[str, Mapping[str, str]]:
    """Return the codes of each column. Codes of EDI elements, named by numbers, are not for sheets."""
    fields = {field: codes for field, codes in _mapping(value, path).items() if not field.isdecimal()}
    codes = _of_columns(_each(_each(_text))(fields, path), path)
    return {field: {_name(their): our for their, our in each.items()} for field, each in codes.items()}


def _defaults(value: object, path: str) -> Mapping[str, str]:
    return _of_columns(_each(_text)(value, path), path)


_READERS: dict[str, Callable[[object, str], Any]] = {
    "partner": _text,
    "columns": _columns,
    "defaults": _defaults,
    "codes": _codes,
    "parties": _each(_text),
    "items": _each(_item),
    "units": _units,
    "unit": _unit,
    "rounding": _one_of(*ROUNDINGS),
    "dates": _one_of(*get_args(DateOrder)),
    "decimal": _one_of(".", ","),
    "sheet": _text,
    "header_row": _number(1, 1_048_576),
    "bucket_due": _one_of(*get_args(Edge)),
    "replace": _flag,
    "lead_days": _each(_number(0, 3_650)),
    "priority": _number(1, 9),
}
