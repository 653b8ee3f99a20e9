"""The fold of the declarations: the products, platforms and programme in force, their digest, and nearest names."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from hashlib import sha256
from typing import Any, TypeVar

import orjson

from shared.wire.events import (
    Declaration,
    PlatformDeclared,
    ProductDeclared,
    ProgrammeDeclared,
    ProgrammeHorizon,
    WaferModel,
)
from shared.wire.rows import DECLARATIONS, Row

NOTHING_DECLARED = "ab0b5d537af4ca2e5814a875101a999ab9d2b51c653698f4290cde1bfd370313"
"""The digest where no declaration is in force: that of earlier versions, so that an older log keeps its state hash."""
_NEAREST_MAX = 3
_NEAREST_CUTOFF = 0.5

Declared = TypeVar("Declared", bound=Declaration)
Place = tuple[str, str]  # name of the event, and of the thing; there is one programme, of any name


class Declarations:
    """The fold of the planners' events: the same for any order, batching or repetition.

    Of the declarations of one thing, by whichever planner, the greatest (revision, time, id) that is not reversed
    holds. Where that one withdraws the thing, none is in force.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], Row] = {}  # by source and id
        self._reversed: set[tuple[str, str]] = set()
        self._latest: dict[Place, Row] | None = None  # the declaration that holds, withdrawals included
        self._products: frozenset[str] | None = None  # in force

    def add(self, rows: Iterable[Row]) -> bool:
        """Fold the declarations and reversals among some events, skip the others; return whether any may alter them."""
        altered = False
        for row in rows:
            if row.name in DECLARATIONS:
                self._rows.setdefault((row.source, row.id), row)  # the ledger refuses another content under an id
                altered = True
            elif row.name == "event.reversed":
                target = (row.source, row.others["reversed"])
                self._reversed.add(target)
                altered = altered or target in self._rows
        if altered:
            self._latest = self._products = None
        return altered

    # ---------------------------------------------------------------- in force

    def latest(self) -> dict[Place, Row]:
        """Return the declaration that holds of each thing, a withdrawal included, by name of event and of thing."""
        if self._latest is None:
            held = (row for name, row in self._rows.items() if name not in self._reversed)
            self._latest = {place_of(row): row for row in sorted(held, key=_order)}
        return self._latest

    def revision(self, declared: Declaration) -> int:
        """Return the revision that a declaration needs to hold from now on."""
        row = self.latest().get(place_of_data(declared))
        return 0 if row is None or row.revision is None else row.revision + 1

    @property
    def product_names(self) -> frozenset[str]:
        """The names of the products in force."""
        if self._products is None:
            self._products = frozenset(self.products)
        return self._products

    @property
    def products(self) -> dict[str, ProductDeclared]:
        """The products in force by name, sorted."""
        return {each.product: each for each in self._in_force(ProductDeclared)}

    @property
    def platforms(self) -> dict[str, PlatformDeclared]:
        """The platforms in force by name, sorted."""
        return {each.platform: each for each in self._in_force(PlatformDeclared)}

    @property
    def programme(self) -> ProgrammeDeclared | None:
        """The programme in force, None where none is."""
        return next(iter(self._in_force(ProgrammeDeclared)), None)

    @property
    def wafer_models(self) -> dict[str, WaferModel]:
        """The wafer models of the products in force that have one, by name of the product."""
        return {name: each.wafer_model for name, each in self.products.items() if each.wafer_model is not None}

    @property
    def horizon(self) -> ProgrammeHorizon | None:
        """The horizon that the programme in force declares, if any."""
        return None if self.programme is None else self.programme.horizon

    @property
    def target_wafers(self) -> int | None:
        """The wafers a month that the programme in force aims at, if it declares a target."""
        target = None if self.programme is None else self.programme.target
        return None if target is None else target.wafers_per_month

    def _in_force(self, kind: type[Declared]) -> list[Declared]:
        rows = [row for place, row in sorted(self.latest().items()) if place[0] == kind.type]
        found = [row.event().data for row in rows if not row.others["withdrawn"]]
        return [each for each in found if isinstance(each, kind)]

    def digest(self) -> str:
        """Return the SHA-256 of the declarations in force, part of the state hash; docs/proof.md describes its bytes.

        It is `NOTHING_DECLARED` where none is in force.
        """
        latest = self.latest()
        in_force = [
            [place[0], row.content()["data"]] for place, row in sorted(latest.items()) if not row.others["withdrawn"]
        ]
        return sha256(orjson.dumps(in_force, option=orjson.OPT_SORT_KEYS)).hexdigest() if in_force else NOTHING_DECLARED

    # ---------------------------------------------------------------- the state

    def state(self) -> list[Any]:
        """Return all that was folded as JSON has it, in one order: the declarations, and reversed events.

        A reversal may come before its event, so all reversals are kept.
        """
        return [[list(row) for _, row in sorted(self._rows.items())], sorted(self._reversed)]

    @classmethod
    def read(cls, state: list[Any]) -> "Declarations":
        """Return the fold from its state as `state` returned it."""
        declarations = cls()
        rows, undone = state
        declarations._rows = {(row.source, row.id): row for row in (Row(*each) for each in rows)}
        declarations._reversed = set(map(tuple, undone))
        return declarations


def place_of(row: Row) -> Place:
    """Return the place of a declaration among those of its kind, of which one holds."""
    return row.name, "" if row.name == ProgrammeDeclared.type else str(row.product or row.line)


def place_of_data(declared: Declaration) -> Place:
    """Return the place of a declaration that is not an event yet."""
    return declared.type, str(getattr(declared, "product", None) or getattr(declared, "platform", None) or "")


def _order(row: Row) -> tuple[int, int, str, str]:
    return row.revision or 0, row.time, row.id, row.source


def nearest_names(name: str, names: Iterable[str] | Mapping[str, object]) -> list[str]:
    """Return the names that are nearest to one, the nearest first, at most three; case does not count."""
    folded = {each.casefold(): each for each in sorted(names, reverse=True)}
    return [folded[each] for each in get_close_matches(name.casefold(), folded, _NEAREST_MAX, _NEAREST_CUTOFF)]
