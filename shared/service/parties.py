"""Parties that a file names: they may grow while a service runs that reads their streams."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.process.log import why
from shared.process.watched_file import WatchedFile
from shared.service.readers import Reader
from shared.service.service import Service
from shared.wire.events import Name
from shared.wire.streams import Role

_WATCH_INTERVAL_S = 1.0


class _PartiesFile(BaseModel):
    """The sources by role."""

    model_config = ConfigDict(strict=True, extra="forbid")

    suppliers: list[Name] = []
    datacenters: list[Name] = []
    planners: list[Name] = []


class PartiesWatch:
    """Adds the parties that the file names, at the start and whenever it changes; it takes none away.

    `add` returns the reader of the party's stream, or None for a party that the service does not read.
    """

    def __init__(
        self, service: Service, path: Path, known: set[str], add: Callable[[Role, str], Reader | None]
    ) -> None:
        self.service, self.file, self.add = service, WatchedFile(path), add
        self.known = known  # sources
        self.add_new()

    def add_new(self) -> list[Reader]:
        """Return the readers of the parties that are new in the file, if it has changed."""
        if not self.file.has_changed():
            return []
        try:
            named = _PartiesFile.model_validate(orjson.loads(self.file.path.read_bytes()))
        except (OSError, ValueError, ValidationError) as failure:
            self.service.log.warning("parties_refused", path=str(self.file.path), reason=why(failure))
            return []
        roles: dict[Role, list[str]] = {
            "supplier": named.suppliers, "datacenter": named.datacenters, "planner": named.planners
        }  # fmt: skip
        readers = []
        for role, sources in roles.items():
            for source in sources:
                if source not in self.known:
                    self.known.add(source)
                    reader = self.add(role, source)
                    if reader is not None:
                        readers.append(reader)
                        self.service.log.info("party_added", source=source, stream=reader.stream)
        return readers

    async def run(self) -> None:
        """Look at the file again and again, and begin to read the streams of new parties."""
        while True:
            await asyncio.sleep(_WATCH_INTERVAL_S)
            for reader in self.add_new():
                if reader.begin is not None:
                    await reader.begin()
