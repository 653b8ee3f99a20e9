"""Changes that a programme's entries make to the declarations in force: each with the declaration that makes it."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from shared.programme.declarations import Declarations, nearest_names, place_of_data
from shared.programme.programme_file import GROUPS, DeclaredEntries
from shared.wire.events import Declaration

Kind = Literal["product", "platform", "programme", "party"]


class ProgrammeChange(NamedTuple):
    """One thing of a programme that is declared anew, otherwise than before, or no more."""

    kind: Kind
    name: str
    change: Literal["new", "changed", "withdrawn"]
    fields: list[str]  # that differ from the declaration in force, as a programme file names them
    declared: Declaration


def find_changes(entries: DeclaredEntries, declarations: Declarations) -> list[ProgrammeChange]:
    """Return the changes of some entries, products first; an entry that is in force as it stands makes none.

    Entries that are not named stay in force: an entry with `withdrawn` ends one.
    """
    found = (_find_change(kind, name, declared, declarations) for kind, name, declared in _declared(entries))
    return [change for change in found if change is not None]


def _declared(entries: DeclaredEntries) -> Iterator[tuple[Kind, str, Declaration]]:
    for name, product in entries.products.items():
        yield "product", name, product.declared(name, 0)
    for name, platform in entries.platforms.items():
        yield "platform", name, platform.declared(name, 0)
    if entries.programme is not None:
        yield "programme", entries.programme.name, entries.programme.declared(0)
    for name, company in entries.companies.items():
        yield "party", name, company.declared(name, 0)


def _find_change(kind: Kind, name: str, declared: Declaration, declarations: Declarations) -> ProgrammeChange | None:
    row = declarations.latest().get(place_of_data(declared))
    after = declared.model_copy(update={"revision": declarations.revision(declared)})
    before = None if row is None else row.event().data
    if not isinstance(before, Declaration) or before.withdrawn:
        return None if declared.withdrawn else ProgrammeChange(kind, name, "new", [], after)
    if declared.withdrawn:
        return ProgrammeChange(kind, name, "withdrawn", [], after)
    different = list(_differing(before, declared))
    return ProgrammeChange(kind, name, "changed", different, after) if different else None


def _differing(before: BaseModel, after: BaseModel, prefix: str = "") -> Iterator[str]:
    """Yield the fields with another value, as a programme file names them."""
    for field in type(after).model_fields:
        old, new = getattr(before, field), getattr(after, field)
        if field == "revision" or old == new:
            continue
        if isinstance(old, BaseModel) and isinstance(new, BaseModel):
            yield from _differing(old, new, prefix if field in GROUPS else f"{prefix}{field}.")
        else:
            yield prefix + field


def entries_in_force(declarations: Declarations) -> dict[str, Any]:
    """Return the declarations in force as the entries of a programme file, as JSON has them."""
    programme = declarations.programme
    return {
        "programme": None if programme is None else {"name": programme.programme} | _fields(programme, "programme"),
        "products": {name: _fields(each, "product", "wafer_model") for name, each in declarations.products.items()},
        "platforms": {name: _fields(each, "platform", "rack") for name, each in declarations.platforms.items()},
        "companies": {name: _fields(each, "party") for name, each in declarations.parties.items()},
    }


def _fields(declared: Declaration, name: str, group: str | None = None) -> dict[str, Any]:
    fields = declared.model_dump(mode="json", exclude={name, "revision"}, exclude_defaults=True)
    return fields | (fields.pop(group, None) or {}) if group else fields


def find_never_declared(entries: DeclaredEntries, declarations: Declarations) -> list[str]:
    """Return a sentence for each thing that an entry withdraws and that was never declared: a typo in its name."""
    latest, reasons = declarations.latest(), []
    for _, name, declared in _declared(entries):
        place = place_of_data(declared)
        if declared.withdrawn and place not in latest:
            reasons.append(_not_declared(name, [other for event, other in latest if event == place[0]]))
    return reasons


def _not_declared(name: str, names: Iterable[str]) -> str:
    return f"{name} is not declared; the nearest are {', '.join(nearest_names(name, names)) or 'none'}"


def find_unknown_products(entries: DeclaredEntries, declarations: Declarations) -> list[str]:
    """Return a sentence for each product that an entry counts memory of, and that is declared nowhere."""
    declared = {name for name, each in entries.products.items() if not each.withdrawn} | declarations.products.keys()
    named = {product for each in entries.platforms.values() if each.rack is not None for product in each.rack.memory_gb}
    if entries.programme is not None and entries.programme.facility is not None:
        named |= entries.programme.facility.server_memory_gb.keys()
    return [_not_declared(product, declared) for product in sorted(named - declared)]
