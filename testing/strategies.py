"""Valid events of every type, for hypothesis: the fields are drawn from what the models allow."""

from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from shared.wire.events import DAY_MAX, DAY_MIN, EVENTS, Event, EventData, event_id
from shared.wire.streams import Role

SUPPLIERS = ("samsung", "skhynix", "micron")
DATACENTERS = ("abilene", "shackelford", "narvik")
PLANNERS = ("planner", "planner-2")
SOURCES = {"supplier": SUPPLIERS, "datacenter": DATACENTERS, "planner": PLANNERS}
PRODUCTS = ("HBM3E-12H", "HBM4-12H", "DDR5-16G", "DDR5-32G", "LP5X-16G")


class Said(NamedTuple):
    """Events that one party says, in the order of their sequence."""

    role: Role
    source: str
    events: list[Event]


def days() -> st.SearchStrategy[date]:
    return st.dates(DAY_MIN, DAY_MAX)


def times() -> st.SearchStrategy[datetime]:
    return st.datetimes(datetime(2000, 1, 1), datetime(2100, 12, 31, 23, 59, 59, 999_999), timezones=st.just(UTC))  # noqa: DTZ001


def ids() -> st.SearchStrategy[str]:
    return st.builds(event_id, times(), st.sampled_from(SUPPLIERS + DATACENTERS), st.just(""), st.integers(1, 10**6))


def events(role: Role | None = None, source: str | None = None) -> st.SearchStrategy[Event]:
    """Draw an event of any type that the role may say, or of any at all."""
    return said(role=role, source=source, events_max=1).map(lambda drawn: drawn.events[0])


@st.composite
def said(
    draw: st.DrawFn, role: Role | None = None, source: str | None = None, events_min: int = 1, events_max: int = 5
) -> Said:
    """Draw events of one party with consecutive sequences."""
    role = role or draw(st.sampled_from(get_args(Role)))
    source = source or draw(st.sampled_from(SOURCES[role]))
    first = draw(st.integers(1, 10**18 - 2000))
    kinds = [data for data in EVENTS.values() if role in data.published_by]
    drawn = []
    for n in range(draw(st.integers(events_min, events_max))):
        time = draw(times())
        drawn.append(
            Event(
                id=event_id(time, source, "", n),
                source=source,
                sequence=first + n,
                time=time,
                data=draw(contents(draw(st.sampled_from(kinds)), supplier=source if role == "supplier" else None)),
                correlationid=draw(st.none() | ids()),
                causationid=draw(st.none() | ids()),
            )
        )
    return Said(role, source, drawn)


@cache
def contents(kind: type[EventData], supplier: str | None = None) -> st.SearchStrategy[EventData]:
    """Draw what an event of one type says; a supplier speaks for itself only."""
    fields = {name: _field(name, field) for name, field in kind.model_fields.items()}
    if supplier is not None and "supplier" in fields:
        fields["supplier"] = st.just(supplier)
    if "wafers_damaged" in fields:
        fields["wafers_damaged"] = st.integers(1, 1_000_000)
    return st.fixed_dictionaries(fields).map(lambda values: kind(**values))


def _field(name: str, field: FieldInfo) -> st.SearchStrategy[Any]:
    if name == "product":
        return st.sampled_from(PRODUCTS)
    drawn = _value(field.annotation, field.metadata)
    return drawn if field.is_required() else drawn | st.just(field.default)


def _model(model: type[BaseModel]) -> st.SearchStrategy[Any]:
    fields = {name: _field(name, field) for name, field in model.model_fields.items()}

    def build(values: dict[str, Any]) -> BaseModel | None:
        try:
            return model(**values)
        except ValidationError:  # a rule across its fields, such as the order of two days
            return None

    return st.fixed_dictionaries(fields).map(build).filter(lambda built: built is not None)


def _value(annotation: Any, bounds: list[Any]) -> st.SearchStrategy[Any]:
    kind, inner = get_origin(annotation), get_args(annotation)
    if kind is Annotated:
        return _value(inner[0], [bound for outer in inner[1:] for bound in getattr(outer, "metadata", [outer])])
    if kind is Literal:
        return st.sampled_from(inner)
    if kind is list:
        return st.lists(_value(inner[0], []), max_size=3)
    if kind is dict:
        return st.dictionaries(_value(inner[0], []), _value(inner[1], []), max_size=3)
    if annotation is bool:
        return st.booleans()
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _model(annotation)
    if type(None) in inner:
        return st.none() | _value(inner[0], [])
    if annotation is date:
        return days()
    if annotation is int:
        return st.integers(_bound(bounds, "ge"), _bound(bounds, "le"))
    pattern = _bound(bounds, "pattern")
    if pattern.startswith("^[^"):  # a text; drawn from its pattern it takes ten times as long
        return st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Zl", "Zp"]), max_size=200)
    return st.from_regex(pattern, fullmatch=True)


def _bound(bounds: list[Any], name: str) -> Any:
    return next(getattr(bound, name) for bound in bounds if getattr(bound, name, None) is not None)
