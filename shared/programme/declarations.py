"""The fold of the declarations: the products, platforms and programme in force, their digest, and nearest names."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from hashlib import sha256
from typing import TypeVar

import orjson

from shared.programme.revised import Place, RevisedFacts
from shared.wire.days import DAY_US
from shared.wire.events import (
    Declaration,
    PartyDeclared,
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


class Declarations(RevisedFacts):
    """The fold of the planners' declarations of products, platforms and the programme."""

    names = DECLARATIONS

    def __init__(self) -> None:
        super().__init__()
        self._products: frozenset[str] | None = None  # in force

    def forget(self) -> None:
        super().forget()
        self._products = None

    @staticmethod
    def place_of(row: Row) -> Place:
        return row.name, "" if row.name == ProgrammeDeclared.type else str(row.product or row.line)

    # ---------------------------------------------------------------- in force

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
    def parties(self) -> dict[str, PartyDeclared]:
        """The declared parties in force by name, sorted."""
        return {each.party: each for each in self._in_force(PartyDeclared)}

    def platform_on(self, platform: str, day: int) -> PlatformDeclared | None:
        """Return a platform in force as it was declared by the end of a day, or else first; None where none is."""
        history = self.history((PlatformDeclared.type, platform))
        if not history or history[-1].others["withdrawn"]:
            return None
        stated = [row for row in history if not row.others["withdrawn"]]
        row = next((row for row in reversed(stated) if row.time // DAY_US <= day), stated[0])
        declared = row.event().data
        return declared if isinstance(declared, PlatformDeclared) else None

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


def place_of_data(declared: Declaration) -> Place:
    """Return the place of a declaration that is not an event yet."""
    name = "" if isinstance(declared, ProgrammeDeclared) else getattr(declared, declared.columns.get("line", "product"))
    return declared.type, str(name)


def nearest_names(name: str, names: Iterable[str] | Mapping[str, object]) -> list[str]:
    """Return the names that are nearest to one, the nearest first, at most three; case does not count."""
    folded = {each.casefold(): each for each in sorted(names, reverse=True)}
    return [folded[each] for each in get_close_matches(name.casefold(), folded, _NEAREST_MAX, _NEAREST_CUTOFF)]
