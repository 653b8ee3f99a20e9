"""A programme's entries are declared where they differ from the declarations in force, and twice says nothing."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.play.numbering import Numbering
from shared.play.scenario import load_programme
from shared.programme.changes import find_changes, find_never_declared
from shared.programme.declarations import Declarations
from shared.programme.programme_file import DeclaredEntries, PlatformEntry, ProductEntry
from shared.wire.rows import Row

ENTRIES = load_programme().entries()
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def declare(declarations, changes, numbering):
    declarations.add([Row.of(numbering.emit(NOON, change.declared)) for change in changes])


def with_product(entry):
    return ENTRIES.model_copy(update={"products": ENTRIES.products | {"EXTRA": entry}})


def test_everything_is_new_at_first_and_nothing_the_second_time():
    declarations = Declarations()

    first = find_changes(ENTRIES, declarations)
    declare(declarations, first, Numbering("p"))

    assert {change.change for change in first} == {"new"}
    assert len(first) == len(ENTRIES.products) + len(ENTRIES.platforms) + len(ENTRIES.companies) + 1
    assert find_changes(ENTRIES, declarations) == []
    assert declarations.products.keys() == ENTRIES.products.keys()


def test_a_change_names_its_fields_and_has_the_next_revision():
    declarations, numbering = Declarations(), Numbering("p")
    declare(declarations, find_changes(with_product(ProductEntry(family="HBM")), declarations), numbering)

    [change] = find_changes(with_product(ProductEntry(family="LP", basis="A")), declarations)

    assert (change.kind, change.name, change.change) == ("product", "EXTRA", "changed")
    assert change.fields == ["basis", "family"]
    assert change.declared.revision == 1


def test_a_change_of_a_group_names_the_fields_in_it_as_a_file_does():
    declarations, numbering = Declarations(), Numbering("p")
    declare(declarations, find_changes(ENTRIES, declarations), numbering)
    product, facility = ENTRIES.products["HBM4-12H"], ENTRIES.programme.facility
    better = product.wafer_model.model_copy(update={"probe_yield": "0.8"})
    colder = ENTRIES.programme.model_copy(update={"facility": facility.model_copy(update={"pue": "1.1"})})
    entries = ENTRIES.model_copy(
        update={
            "products": {"HBM4-12H": product.model_copy(update={"wafer_model": better})},
            "platforms": {},
            "programme": colder,
        }
    )

    changes = find_changes(entries, declarations)

    assert [change.fields for change in changes] == [["probe_yield"], ["facility.pue"]]


def test_what_was_never_declared_is_no_withdrawal():
    declarations, numbering = Declarations(), Numbering("p")
    withdrawn = ProductEntry(withdrawn=True)
    typo = DeclaredEntries(products={"EXTRE": withdrawn}, platforms={"EXTRA": PlatformEntry(withdrawn=True)})
    right = DeclaredEntries(products={"EXTRA": withdrawn})
    declare(declarations, find_changes(with_product(ProductEntry()), declarations), numbering)

    assert find_never_declared(typo, declarations)[0] == "EXTRE is not declared; the nearest are EXTRA"
    assert find_never_declared(typo, declarations)[1].startswith("EXTRA is not declared; the nearest are ")
    assert find_never_declared(right, declarations) == []
    declare(declarations, find_changes(right, declarations), numbering)
    assert find_never_declared(right, declarations) == []  # twice says nothing


@given(st.lists(st.sampled_from(["HBM", "LP", None]), max_size=6))
def test_after_any_history_the_last_entry_is_in_force(history):
    declarations, numbering = Declarations(), Numbering("p")
    for family in history:
        entry = ProductEntry(withdrawn=True) if family is None else ProductEntry(family=family)
        declare(declarations, find_changes(with_product(entry), declarations), numbering)
        assert find_changes(with_product(entry), declarations) == []

    last = history[-1] if history else None
    in_force = declarations.products.get("EXTRA")
    assert (None if in_force is None else in_force.family) == last
