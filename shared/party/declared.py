"""Products that planners have declared, as a party's door knows them from the planners' streams."""

from collections.abc import Sequence
from functools import lru_cache

from shared.documents.facts import Catalogue
from shared.programme.declarations import Declarations, nearest_names
from shared.service.entries import Entry
from shared.service.readers import Handler
from shared.service.service import Service
from shared.wire.entry_reader import read_entry
from shared.wire.events import Refused, WaferModel
from shared.wire.streams import party_stream


class DeclaredProducts:
    """Reads the planners' streams, and refuses a product that none of them has declared.

    It refuses none where no product is declared at all: there is no programme yet to compare with.
    """

    def __init__(self, service: Service, planners: Sequence[str]) -> None:
        self.declarations = Declarations()
        for planner in planners:
            service.reads(party_stream("planner", planner), after="0-0")(self._handler(planner))

    def _handler(self, planner: str) -> Handler:
        async def read(entries: list[Entry]) -> None:
            for _, body in entries:
                rows, _, _ = read_entry(body, planner, "planner")
                self.declarations.add(rows)

        return read

    def catalogue(self) -> Catalogue:
        """Return each declared product with its wafer model, if any; every product where none is declared at all."""
        products = self.declarations.products
        return {name: each.wafer_model for name, each in products.items()} if products else _AnyProduct()

    def refuse(self, product: str) -> Refused | None:
        """Return why a product is refused, with the nearest declared names; None where it is declared."""
        declared = self.declarations.product_names
        if not declared or product in declared:
            return None
        nearest = _nearest(product, declared)
        advice = f"the nearest names that are: {', '.join(nearest)}" if nearest else f"{len(declared)} others are"
        return Refused("unknown_product", "data.product", f"{product!r} is not declared; {advice}")


class _AnyProduct(dict[str, WaferModel | None]):
    """A catalogue that has every product, none with a wafer model."""

    def __contains__(self, _: object) -> bool:
        return True


@lru_cache(maxsize=1_024)
def _nearest(name: str, names: frozenset[str]) -> list[str]:
    return nearest_names(name, names)  # a body may hold one wrong name thousands of times
