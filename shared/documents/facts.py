"""The data of the event that each line of a document states: names and units of the partner become ours."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any, NamedTuple

from shared.documents.columns import TERMS, UNIT
from shared.documents.document import PLANS, Document, DocumentLine, Kind, Place, Scope
from shared.documents.problems import DocumentProblem, ProblemCode
from shared.documents.profile import Item, Profile
from shared.documents.tables.values import shown
from shared.documents.units import UNIT_NAMES, Unit, UnitName, carry_over, nearest_whole, wafers_per_unit
from shared.programme.declarations import nearest_names
from shared.wire.events import COUNTED_MAX, EVENTS, NAME_PATTERN, UNATTRIBUTED, Refused, WaferModel, validate_strictly

Key = tuple[str, ...]
"""The identity of a line among those of its source and kind."""

Catalogue = Mapping[str, WaferModel | None]
"""Each declared product with its wafer model, None where it has none."""

_is_name = re.compile(f"(?a){NAME_PATTERN}").fullmatch
_NAME_MAX = 64
_HASH_LETTERS = 6
_MODEL_FIELDS = tuple(WaferModel.model_fields)


class Fact(NamedTuple):
    """The data of an event, without its revision, that a line states; and the day of a movement."""

    data: dict[str, Any]
    place: Place
    day: date | None = None


class _Misstated(Exception):
    """A line cannot be stated; has the problem's code, the field and the reason."""

    def __init__(self, code: ProblemCode, field: str, reason: str) -> None:
        self.code: ProblemCode = code
        self.field = field
        self.reason = reason
        super().__init__(reason)


def line_name(text: str) -> str:
    """Return the name of a line for a partner's text: itself where it is a name, else the rest of it and a hash.

    The hash is of the text as written, so that two texts never meet in one name.
    """
    if _is_name(text):
        return text
    tail = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LETTERS]
    plain = re.sub(r"(?a)[^A-Za-z0-9._:\-]", "-", text).lstrip("._:-")
    return f"{plain[: _NAME_MAX - _HASH_LETTERS - 1]}-{tail}" if plain else f"line-{tail}"


def key_of(kind: Kind, data: Mapping[str, Any], day: date | None) -> Key:
    """Return the identity of the line that an event's data belongs to; a receipt or a count has a day."""
    if kind in PLANS:
        return (str(data["line"]),)
    if kind in ("sites", "products"):
        return (str(data["site" if kind == "sites" else "product"]),)
    shipment = (str(data["shipment"]),) if kind == "receipts" else ()
    return (*shipment, data["product"], data["site"], data["supplier"], str(day))


def scope_of(data: Mapping[str, Any]) -> Scope:
    """Return product, site and supplier of an event's data."""
    return (data["product"], data["site"], data["supplier"])


def midnight(day: date) -> datetime:
    """Return the first instant of a day, UTC: the time of a movement that a sheet states by its day."""
    return datetime.combine(day, time(), UTC)


class FactReader:
    """The reading of a document's lines as facts of one source: collects their problems."""

    def __init__(self, kind: Kind, source: str, profile: Profile, catalogue: Catalogue, issued: datetime) -> None:
        self.kind: Kind = kind
        self.source = source
        self.profile = profile
        self.catalogue = catalogue
        self.issued = issued
        self.problems: list[DocumentProblem] = []
        self.running: dict[Scope, list[tuple[date, Fraction]]] = {}
        self._terms = TERMS[kind]
        self._types = {column.name: column.type for column in self._terms.columns}
        self._reasons: dict[str, str] = {}  # by undeclared product
        self._exact: list[tuple[int, Fraction]] = []  # position of a fact, and its exact wafers, to be carried over

    def read(self, document: Document, carried: Mapping[Scope, Fraction]) -> list[Fact]:
        """Return the facts of the lines, in their order and rounded; collect the problems, repetitions among them."""
        stated: list[tuple[Fact, DocumentLine]] = []
        for line in document.lines:
            if not line.is_whole:
                self._check_parts(line)
                continue
            try:
                stated.append((self._fact(line, len(stated)), line))
            except _Misstated as why:
                self._add_problem(why.code, line, why.field, why.reason)
        self._carry([fact for fact, _ in stated], carried)
        places: dict[Key, Place] = {}
        for fact, line in stated:
            key = key_of(self.kind, fact.data, fact.day)
            if key in places:
                self.problems.append(
                    DocumentProblem("repeated", fact.place, f"states {', '.join(key)} as {places[key]} does")
                )
            places.setdefault(key, fact.place)
            self._check(fact, line)
        return [fact for fact, _ in stated]

    def scopes(self, document: Document) -> dict[Scope, Place]:
        """Return product, site and supplier of each line and of each row of a matrix, with its first place."""
        scopes: dict[Scope, Place] = {}
        for line in (*document.scopes, *document.lines):
            try:
                scopes.setdefault(scope_of(self._parties(line) | {"product": self._item(line).product}), line.place)
            except _Misstated as why:
                self._add_problem(why.code, line, why.field, why.reason)
        return scopes

    def _add_problem(self, code: ProblemCode, line: DocumentLine, field: str, reason: str) -> None:
        value = line.values.get(field)
        self.problems.append(DocumentProblem(code, line.place if value is None else value.place, reason))

    # ---------------------------------------------------------------- one line

    def _fact(self, line: DocumentLine, position: int) -> Fact:
        item = self._item(line) if "product" in self._types else None
        data: dict[str, Any] = self._parties(line)
        if item is not None:
            data["product"] = item.product
        for name, type_ in self._types.items():
            value = line.values.get(name)
            if value is None or name == UNIT or type_ in ("party", "product"):
                continue
            data[name] = value.value
            if type_ == "quantity":
                assert item is not None
                data[name] = self._wafers(line, name, item, position)
            elif type_ == "ratio":
                data[name] = format(value.value.normalize() if isinstance(value.value, Decimal) else value.value, "f")
            elif name in ("line", "shipment"):
                data[name] = line_name(str(value.value))
        day = self._finish(data)
        data = {name: str(value) if isinstance(value, date) else value for name, value in data.items()}
        return Fact(data, line.place, day)

    def _check_parts(self, line: DocumentLine) -> None:
        """Append the problems of the product and the quantities of a line of which another value cannot be read."""
        if "product" not in line.values or "product" not in self._types:
            return
        try:
            item = self._item(line)
            for name in line.values:
                if self._types.get(name) == "quantity":
                    self._wafers(line, name, item)
        except _Misstated as why:
            self._add_problem(why.code, line, why.field, why.reason)

    def _item(self, line: DocumentLine) -> Item:
        text = str(line.values["product"].value)
        item = self.profile.items.get(text) or Item(text)
        if self.kind != "products" and item.product not in self.catalogue:
            raise _Misstated("unknown_product", "product", self._undeclared(item.product))
        return item

    def _undeclared(self, product: str) -> str:
        """Return the reason that names the nearest declared names; a sheet may repeat an unknown one in each row."""
        if product not in self._reasons:
            near = nearest_names(product[:_NAME_MAX], self.catalogue)
            nearest = f"; nearest: {', '.join(near)}" if near else ""
            self._reasons[product] = f"{shown(product)} is not declared{nearest}"
        return self._reasons[product]

    def _parties(self, line: DocumentLine) -> dict[str, Any]:
        """Return site, supplier and owner by our names, the defaults of the kind included."""
        parties = {}
        for name, type_ in self._types.items():
            if type_ == "party" and name in line.values:
                text = str(line.values[name].value)
                parties[name] = self.profile.parties.get(text, text)
                if not _is_name(parties[name]):
                    raise _Misstated(
                        "unknown_party", name, f"{shown(text)} is no name: add it to `parties` of the profile"
                    )
        if self.kind == "sites":
            return parties
        if self.kind == "products":
            return {}
        default = {"commits": self.source, "receipts": parties.get("owner", "")}.get(self.kind, UNATTRIBUTED)
        supplier = parties.setdefault("supplier", default)
        if not supplier:
            raise _Misstated("missing", "supplier", "neither supplier nor owner is given")
        if self.kind == "commits" and supplier != self.source:
            raise _Misstated("unknown_party", "supplier", f"{supplier} is not {self.source}, which states this sheet")
        if self.kind == "receipts":
            parties.setdefault("owner", supplier)
        return parties

    def _wafers(self, line: DocumentLine, name: str, item: Item, position: int | None = None) -> int:
        """Return the whole wafers of a quantity; those to be carried over are rounded later."""
        quantity = line.values[name].value
        assert isinstance(quantity, Decimal)
        if not 0 <= quantity <= COUNTED_MAX:
            raise _Misstated("out_of_bounds", name, f"{quantity:f} is not between 0 and {COUNTED_MAX:,}")
        unit, called = self._unit(line, item)
        model = self.catalogue.get(item.product)
        if unit.needs_model and model is None:
            raise _Misstated("no_wafer_model", name, f"{item.product} has no wafer model to convert {called} with")
        exact = Fraction(quantity) * wafers_per_unit(unit, model)
        rounding = item.rounding or self.profile.rounding
        if rounding == "exact" and exact.denominator != 1:
            about = "" if unit.name == "wse" else f" {called} are about {float(exact):.3f} wafers,"
            reason = f"{quantity:f}{about} is no whole number: `rounding` in the profile rounds it"
            raise _Misstated("fraction", name, reason)
        if rounding == "carry" and self.kind in PLANS and position is not None:
            self._exact.append((position, exact))
        return nearest_whole(exact)

    def _unit(self, line: DocumentLine, item: Item) -> tuple[Unit, str]:
        """Return the unit of a line and its name: of the row, else of the item, else of the profile."""
        given = line.values.get(UNIT)
        called = str(given.value).strip() if given is not None else ""
        name = called.casefold()
        unit = item.units.get(name)
        if unit is None and name:
            unit = self.profile.units.get(name)
            if unit is None and name in UNIT_NAMES and name != "per_wafer":
                unit = Unit(_unit_name(name))
        elif unit is None and not item.units:
            unit = self.profile.unit
        if unit is None:
            known = sorted({each for each in (*item.units, *self.profile.units, *UNIT_NAMES) if each} - {"per_wafer"})
            problem = (
                f"{shown(called)} is no unit of the profile" if called else "the row names none of the item's units"
            )
            raise _Misstated("unknown_unit", UNIT if called else "product", f"{problem}; they are {', '.join(known)}")
        return unit, called or unit.name

    # ---------------------------------------------------------------- the end of a line, by kind

    def _finish(self, data: dict[str, Any]) -> date | None:
        """Complete the data with the defaults of its kind; return the day of a movement."""
        match self.kind:
            case "commits":
                data.setdefault("reason", "")
            case "orders":
                data.setdefault("priority", self.profile.priority)
                if "start_by" not in data:
                    data["start_by"] = data["due"] - self._lead_time(data["product"])
            case "receipts":
                data.setdefault("wafers_damaged", 0)
                return self._movement_day(data, "received")
            case "stock":
                return self._movement_day(data, "day")
            case "sites":
                data |= {name: data.get(name) for name in ("land_ha", "waterplane_m2")}
                data.setdefault("power_source", "")
            case "products":
                self._finish_product(data)
        if self.kind in PLANS:
            self._name_line(data)
        return None

    def _lead_time(self, product: str) -> timedelta:
        days = self.profile.lead_days.get(product)
        if days is None:
            raise _Misstated(
                "missing", "start_by", f"start_by is empty, and `lead_days` of the profile has no {product}"
            )
        return timedelta(days=days)

    def _finish_product(self, data: dict[str, Any]) -> None:
        model = {name: data.pop(name) for name in _MODEL_FIELDS if name in data}
        lacking = [name for name in _MODEL_FIELDS if name not in model]
        if model and lacking:
            raise _Misstated("missing", next(iter(model)), f"a wafer model needs {', '.join(lacking)}, too")
        data |= {"family": data.get("family"), "basis": data.get("basis", "")}
        data |= {"wafer_model": model or None, "withdrawn": False}

    def _name_line(self, data: dict[str, Any]) -> None:
        if "line" in data:
            return
        own = (UNATTRIBUTED, self.source) if self.kind == "commits" else (UNATTRIBUTED,)
        supplier = () if data["supplier"] in own else (data["supplier"],)
        data["line"] = line_name(".".join((data["product"], data["site"], *supplier, str(data["due"]))))

    def _movement_day(self, data: dict[str, Any], field: str) -> date:
        day = data.pop(field)
        assert isinstance(day, date)
        if day > self.issued.date():
            raise _Misstated(
                "date_out_of_bounds", field, f"{day} is after {self.issued.date()}, the day of the document"
            )
        return day

    # ---------------------------------------------------------------- all lines

    def _carry(self, facts: list[Fact], carried: Mapping[Scope, Fraction]) -> None:
        """Round the lines that carry over: the cumulative of each scope, in the order of the due days."""
        buckets: dict[Scope, list[tuple[str, str, int, Fraction]]] = defaultdict(list)
        for position, exact in self._exact:
            data = facts[position].data
            buckets[scope_of(data)].append((data["due"], data["line"], position, exact))
        for scope, each in buckets.items():
            each.sort()
            exact = carried.get(scope, Fraction(0))
            wafers = carry_over((bucket[3] for bucket in each), exact)
            steps = []
            for (due, _, position, bucket), whole in zip(each, wafers, strict=True):
                exact += bucket
                facts[position].data["wafers"] = whole
                steps.append((date.fromisoformat(due), exact))
            self.running[scope] = steps

    def _check(self, fact: Fact, line: DocumentLine) -> None:
        """Append the problem of a fact that its event's model refuses."""
        model = EVENTS[self._terms.event]
        try:
            validate_strictly(model, fact.data | ({"revision": 0} if "revision" in model.model_fields else {}), "")
        except Refused as why:
            field = next((part for part in reversed(why.path.split(".")) if part in self._types), "")
            self._add_problem(self._code(why, field), line, field, f"{field or why.path or 'the line'} {why.message}")
            return
        if fact.day is not None and not 2000 <= fact.day.year <= 2100:
            self._add_problem("date_out_of_bounds", line, "", f"{fact.day} is outside 2000-01-01 to 2100-12-31")

    def _code(self, why: Refused, field: str) -> ProblemCode:
        if why.code in ("unknown_product", "fraction", "out_of_bounds", "date_out_of_bounds"):
            return why.code
        return "unknown_party" if self._types.get(field) == "party" else "bad_text"


def _unit_name(name: str) -> UnitName:
    return next(each for each in UNIT_NAMES if each == name)


def meaning_of(document: Document, facts: Sequence[Fact]) -> Iterator[list[str]]:
    """Yield all that a document states, in an order that its layout does not change."""
    yield [document.kind, str(document.replaces), str(document.starts_on), str(document.ends_on)]
    yield from sorted([str(fact.day), *(f"{name}={fact.data[name]}" for name in sorted(fact.data))] for fact in facts)
