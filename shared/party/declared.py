"""Products that planners have declared, as a party's door knows them from the planners' streams."""

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path

import orjson
from redis.exceptions import RedisError

from shared.documents.facts import Catalogue
from shared.programme.changes import find_changes
from shared.programme.declarations import Declarations, nearest_names
from shared.programme.programme_file import DeclaredEntries
from shared.service.entries import Entry
from shared.service.readers import Reader
from shared.service.service import Service
from shared.wire.entry_reader import read_entry
from shared.wire.events import Refused, WaferModel
from shared.wire.rows import DECLARATIONS, Row
from shared.wire.streams import is_plan_stream, party_stream

_POLL_S = 0.1


class DeclaredProducts:
    """Reads the planners' streams, and refuses a product that none of them has declared.

    It refuses none where no product is declared at all: there is no programme yet to compare with. The declarations
    are also in a file: a Redis that lost its streams must not make a party forget them, as its planner would number
    their revisions from 0 again.
    """

    def __init__(self, service: Service, planners: Sequence[str], path: Path) -> None:
        self.service = service
        self.path = path
        self.declarations = Declarations()
        self._folded = asyncio.Event()
        with suppress(FileNotFoundError):
            self.declarations = Declarations.read(orjson.loads(path.read_bytes()))
        for planner in planners:
            self.read_planner(planner)

    def read_planner(self, planner: str) -> Reader:
        """Return the reader of a planner's stream."""
        self.service.reads(party_stream("planner", planner), after="0-0")(partial(self._read, planner))
        return self.service.readers[-1]

    async def _read(self, planner: str, entries: list[Entry]) -> None:
        self.fold_bodies(planner, (body for _, body in entries))

    def fold_bodies(self, planner: str, bodies: Iterable[bytes]) -> None:
        """Fold the declarations in some entries of a planner."""
        rows = [row for body in bodies for row in read_entry(body, planner, "planner")[0]]
        self.fold([row for row in rows if row.name in DECLARATIONS or row.name == "event.reversed"])

    def fold(self, rows: Sequence[Row]) -> None:
        """Fold some declarations and reversals, and keep them on disk."""
        if rows:
            self.declarations.add(rows)
            self._folded.set()
            part = self.path.with_name(self.path.name + ".part")
            part.write_bytes(orjson.dumps(self.declarations.state()))
            part.replace(self.path)

    async def wait_until_read(self) -> None:
        """Wait until the planners' streams are read to their ends."""
        while True:
            with suppress(RedisError, OSError):  # Redis is away: the readers wait for it, too
                lags = await self.service.health.lags()
                if not any(lag["behind"] for stream, lag in lags.items() if is_plan_stream(stream)):
                    return
            await asyncio.sleep(_POLL_S)

    async def wait_until_declared(self, entries: DeclaredEntries, planner: str, time: int) -> None:
        """Wait until some entries are in force, or were declared by a planner at a time."""
        while find_changes(entries, self.declarations) and not self.declarations.has_any(planner, time):
            self._folded.clear()
            await self._folded.wait()

    def catalogue(self) -> Catalogue:
        """Return each declared product with its wafer model, if any; every product where none is declared at all."""
        products = self.declarations.products
        return {name: each.wafer_model for name, each in products.items()} if products else _AnyProduct()

    def last_revision(self, line: str) -> int:
        """Return the revision in force of the declaration of a line, by any planner; -1 for other lines."""
        event, _, name = line.partition(" ")
        row = self.declarations.latest().get((event, name))
        return -1 if row is None or row.revision is None else row.revision

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
