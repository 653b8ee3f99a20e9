"""Programme file: products, platforms, facility, target, horizon, companies and parties, read from YAML and checked.

Each error names the file, the line, the path of the field and the reason.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import date
from textwrap import shorten
from typing import Annotated, Any, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic_core import ErrorDetails

from shared.programme.wafer_model import MissingWaferModel
from shared.wire.events import (
    ROLES_MAX,
    Day,
    DeliveryTolerance,
    Evidence,
    Facility,
    Kilowatts,
    Name,
    PartyDeclared,
    PartyRole,
    PlatformDeclared,
    ProductDeclared,
    ProgrammeDeclared,
    ProgrammeHorizon,
    ProgrammeTarget,
    Pue,
    Rack,
    Share,
    Text,
    WaferModel,
    Yield,
)
from shared.wire.streams import Role

# a source is part of a stream's name, of a host name and of the path of a file
Source = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$")]
RESERVED_SOURCES = frozenset(
    {"planner", "auditor", "operator", "metrics", "aggregator", "console", "ledger", "notifier"}
)
HORIZON_DAYS_MAX = 40_000

_HEADS = {
    "products": ("family", *Evidence.model_fields, "withdrawn"),
    "platforms": (*Evidence.model_fields, "withdrawn"),
}
_GROUP_OF = {"products": "wafer_model", "platforms": "rack"}
GROUPS = frozenset(_GROUP_OF.values())  # of fields that stand in a file beside the others
_MERGE_TAG, _TEXT_TAG = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:str"
_SHOWN = 60  # characters of a value in a message
_WORDS = {  # by pattern, the form of a text
    get_args(kind)[1].pattern: words
    for kind, words in (
        (Yield, 'a fraction above 0 and up to 1, such as "0.97"'),
        (Share, 'a fraction from 0 to 1, such as "0.05"'),
        (Pue, 'a number from 1 to below 10, such as "1.2"'),
        (Kilowatts, 'a number of kilowatts, such as "1.5"'),
        (Name, "a name: up to 64 letters, digits, '.', '_', ':' and '-', a letter or digit first"),
        (Source, "a name: up to 48 letters, digits, '.', '_' and '-', a letter or digit first"),
        (Text, "one line of text"),
    )
}


class ProgrammeFileError(ValueError):
    """A programme file cannot be used; the message has a line for each reason."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class ProductEntry(_Entry, Evidence):
    """A product; without a wafer model no capacity can be converted to its wafers."""

    family: Name | None = None
    wafer_model: WaferModel | None = None
    withdrawn: bool = False

    def declared(self, name: str, revision: int) -> ProductDeclared:
        """Return the declaration of this product."""
        return ProductDeclared(product=name, revision=revision, **dict(self))


class PlatformEntry(_Entry, Evidence):
    """A platform; without a rack no megawatt can be converted to wafers."""

    rack: Rack | None = None
    withdrawn: bool = False

    def declared(self, name: str, revision: int) -> PlatformDeclared:
        """Return the declaration of this platform."""
        return PlatformDeclared(platform=name, revision=revision, **dict(self))


class ProgrammeEntry(_Entry):
    """The programme itself: its target and horizon, tolerance of deliveries, and the facility of its sites."""

    name: Name
    title: Text = ""
    target: ProgrammeTarget | None = None
    horizon: ProgrammeHorizon | None = None
    on_time: DeliveryTolerance | None = None
    facility: Facility | None = None

    def declared(self, revision: int) -> ProgrammeDeclared:
        """Return the declaration of this programme."""
        fields = dict(self)
        return ProgrammeDeclared(programme=fields.pop("name"), revision=revision, **fields)


class RoleEntry(PartyRole):
    """A role of a company, and the day since which it is known: a play declares it then."""

    known_from: Day | None = None


class CompanyEntry(_Entry):
    """A company with its roles at sites and towards suppliers; it need not publish anything itself."""

    name: Text = ""
    roles: Annotated[list[RoleEntry], Field(max_length=ROLES_MAX)] = []
    basis: Text = ""
    withdrawn: bool = False

    def declared(self, name: str, revision: int) -> PartyDeclared:
        """Return the declaration of this company."""
        roles = [PartyRole(**each.model_dump(exclude={"known_from"})) for each in self.roles]
        return PartyDeclared(party=name, revision=revision, **dict(self) | {"roles": roles})

    def known_on(self, day: date) -> "CompanyEntry":
        """Return it with the roles that are known on a day."""
        roles = [each for each in self.roles if each.known_from is None or each.known_from <= day]
        return self.model_copy(update={"roles": roles})


class PartyEntry(_Entry):
    """A party that publishes on a stream of its own."""

    title: Text = ""


class PartyEntries(_Entry):
    """The parties of a programme by role and source, in the order of the file."""

    suppliers: dict[Source, PartyEntry] = {}
    datacenters: dict[Source, PartyEntry] = {}
    planners: dict[Source, PartyEntry] = {}

    @model_validator(mode="after")
    def _are_distinct(self) -> Self:
        taken: set[str] = set()
        for _, source in self.sources():
            # the name of a file, a user and a host, which some machines compare without regard to case
            if source.lower() in taken | RESERVED_SOURCES:
                reason = "names a service or a token" if source.lower() in RESERVED_SOURCES else "names two parties"
                raise ValueError(f"{source!r} {reason}: give the party another name")
            taken.add(source.lower())
        return self

    def sources(self) -> Iterator[tuple[Role, str]]:
        """Yield the role and the source of each party."""
        yield from (("supplier", source) for source in self.suppliers)
        yield from (("datacenter", source) for source in self.datacenters)
        yield from (("planner", source) for source in self.planners)


class DeclaredEntries(_Entry):
    """Entries to be declared: all of a programme file, or some of them."""

    programme: ProgrammeEntry | None = None
    products: dict[Name, ProductEntry] = {}
    platforms: dict[Name, PlatformEntry] = {}
    companies: dict[Name, CompanyEntry] = {}


class ProgrammeFile(ProgrammeEntry):
    """A programme as its file has it."""

    products: dict[Name, ProductEntry] = {}
    platforms: dict[Name, PlatformEntry] = {}
    companies: dict[Name, CompanyEntry] = {}
    parties: PartyEntries = Field(default_factory=PartyEntries)
    references: dict[str, dict[str, str]] = {}

    def entries(self) -> DeclaredEntries:
        """Return the entries that a planner declares."""
        fields = {name: value for name, value in self if name in ProgrammeEntry.model_fields}
        return DeclaredEntries(
            programme=ProgrammeEntry(**fields),
            products=dict(self.products),
            platforms=dict(self.platforms),
            companies=dict(self.companies),
        )

    @property
    def wafer_models(self) -> dict[str, WaferModel]:
        """The wafer models by product, of the products that have one."""
        return {name: each.wafer_model for name, each in self.products.items() if each.wafer_model is not None}

    def wafer_model(self, product: str) -> WaferModel:
        """Return the wafer model of a product; raise `MissingWaferModel` where it has none."""
        model = self.wafer_models.get(product)
        if model is None:
            raise MissingWaferModel(product)
        return model


def read_programme(text: str, name: str = "the programme") -> ProgrammeFile:
    """Return the programme of a YAML text; raise `ProgrammeFileError` with the line and path of each fault."""
    document = _YamlText(text, name)
    raw = document.value
    if not isinstance(raw, dict):
        raise ProgrammeFileError(f"{name}: is no programme: it begins with `name: ...`")
    try:
        programme = ProgrammeFile.model_validate(group_fields(raw))
    except ValidationError as invalid:
        raise ProgrammeFileError(document.explain(invalid)) from None
    faults = [document.place(path) + reason for path, reason in _find_faults(programme)]
    if faults:
        raise ProgrammeFileError("\n".join(faults))
    return programme


def group_fields(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a programme of a file with the fields of each wafer model, and of each rack, in a group of their own."""
    grouped = dict(raw)
    for kind, group in _GROUP_OF.items():
        entries = raw.get(kind)
        if isinstance(entries, dict):
            grouped[kind] = {name: _group(fields, _HEADS[kind], group) for name, fields in entries.items()}
    return grouped


def _group(fields: Any, head: Sequence[str], group: str) -> Any:
    if fields is None:
        return {}
    if not isinstance(fields, dict) or group in fields:
        return fields
    inner = {name: value for name, value in fields.items() if name not in head}
    outer = {name: value for name, value in fields.items() if name in head}
    return outer | {group: inner} if inner else outer


def _find_faults(programme: ProgrammeFile) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the path and the reason of each reference to a product that is not in the file, and of a long horizon."""
    used: list[tuple[tuple[str, ...], str]] = [
        (("platforms", name, "memory_gb", product), product)
        for name, platform in programme.platforms.items()
        for product in (platform.rack.memory_gb if platform.rack else ())
    ]
    if programme.facility is not None:
        used += [
            (("facility", "server_memory_gb", product), product) for product in programme.facility.server_memory_gb
        ]
    for path, product in used:
        if product not in programme.products:
            yield path, f"is no product of this file; there are {', '.join(programme.products) or 'none'}"
    for name, company in programme.companies.items():
        for role in company.roles:
            if role.of == "supplier" and role.name not in programme.parties.suppliers:
                there = ", ".join(programme.parties.suppliers) or "none"
                yield ("companies", name, "roles"), f"name {role.name}, no supplier of this file; there are {there}"
    horizon = programme.horizon
    if horizon is not None and (horizon.ends_on - horizon.starts_on).days >= HORIZON_DAYS_MAX:
        yield ("horizon", "ends_on"), f"is more than {HORIZON_DAYS_MAX:,} days after starts_on"


class _Loader(yaml.SafeLoader):
    """Reads each key as the text that it is: `NO` and `16` are names; names the line of a day that no calendar has."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE_TAG:
                key.tag = _TEXT_TAG
        return super().construct_mapping(node, deep)

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> date:
        try:
            return super().construct_yaml_timestamp(node)
        except ValueError:
            problem = f"no calendar has the day {node.value}"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark) from None


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_timestamp)


class _YamlText:
    """A YAML text, its value, and the line of each field; a key that is named twice is refused."""

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.value: Any = None
        self._lines: dict[tuple[str, ...], int] = {}
        try:
            loader = _Loader(text)
            root = loader.get_single_node()
            if root is not None:
                self._note_lines(root, ())
                self.value = loader.construct_document(root)
        except yaml.MarkedYAMLError as wrong:
            line = wrong.problem_mark.line + 1 if wrong.problem_mark else 1
            raise ProgrammeFileError(f"{name}, line {line}: is not YAML: {wrong.problem}") from None
        except yaml.YAMLError as wrong:
            raise ProgrammeFileError(f"{name}: is not YAML: {wrong}") from None
        except RecursionError:
            raise ProgrammeFileError(f"{name}: it nests too deeply, or holds itself") from None

    def place(self, path: Sequence[object]) -> str:
        """Return the file, the line and the path of a field, or of the nearest field around it, for a message."""
        inner = path_in_file(path)
        where = ".".join(inner) or "it"
        while inner and inner not in self._lines:
            inner = inner[:-1]
        line = f", line {self._lines[inner]}" if inner else ""
        return f"{self.name}{line}: {where} "

    def explain(self, invalid: ValidationError) -> str:
        """Return a line for each fault."""
        return "\n".join(self.place(error["loc"]) + explain_fault(error) for error in invalid.errors(include_url=False))

    def _note_lines(self, node: yaml.Node, path: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = (*path, str(key.value))
                line = key.start_mark.line + 1
                if inner in self._lines:
                    where = ".".join(inner)
                    raise ProgrammeFileError(f"{self.name}, line {line}: {where} is named twice")
                self._lines[inner] = line
                self._note_lines(value, inner)


def path_in_file(path: Sequence[object]) -> tuple[str, ...]:
    """Return the path of a fault as a file has it: without the groups, and without the mark of a key."""
    return tuple(str(part) for part in path if part not in GROUPS and part != "[key]")


def explain_fault(fault: ErrorDetails) -> str:
    """Return the reason of a fault for a message that began with the path of the field."""
    kind, given = fault["type"], fault["input"]
    message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is no field of it"
    if isinstance(given, float) and kind == "string_type":
        return f'is {given}, a number that is not exact: write it as a text, "{given}"'
    if kind == "string_type":
        return f"is {given!r}: write it as a text, with quotation marks"
    if kind == "string_pattern_mismatch":
        return f"is {given!r}, and not {_WORDS.get(fault['ctx']['pattern'], 'in the form that it takes')}"
    if kind in ("dict_type", "model_type"):
        return f"is {shorten(repr(given), _SHOWN)}, and not fields under their names"
    if kind in ("value_error", "out_of_bounds"):
        return message
    return f"{message}, not {str(given) if isinstance(given, date) else repr(given)}"
