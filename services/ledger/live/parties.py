"""Parties of the ledger: those of its settings, and those that a file names, which may grow while the ledger runs."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.process.log import why
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
    """Adds the parties that the file names, at the start and whenever it changes; it takes none away."""

    def __init__(self, service: Service, path: Path, known: set[str], add: Callable[[Role, str], Reader]) -> None:
        self.service, self.path, self.add = service, path, add
        self.known = known  # sources
        self._read_at: tuple[int, int] | None = None  # the time and the size of the file read last
        self.add_new()

    def add_new(self) -> list[Reader]:
        """Return the readers of the parties that are new in the file, if it has changed."""
        try:
            state = self.path.stat()
            if (state.st_mtime_ns, state.st_size) == self._read_at:
                return []
            named = _PartiesFile.model_validate(orjson.loads(self.path.read_bytes()))
        except (OSError, ValueError, ValidationError) as failure:
            self.service.log.warning("parties_refused", path=str(self.path), reason=why(failure))
            return []
        self._read_at = (state.st_mtime_ns, state.st_size)
        roles: dict[Role, list[str]] = {
            "supplier": named.suppliers, "datacenter": named.datacenters, "planner": named.planners
        }  # fmt: skip
        readers = []
        for role, sources in roles.items():
            for source in sources:
                if source not in self.known:
                    self.known.add(source)
                    readers.append(self.add(role, source))
                    self.service.log.info("party_added", source=source, stream=readers[-1].stream)
        return readers

    async def run(self) -> None:
        """Look at the file again and again, and begin to read the streams of new parties."""
        while True:
            await asyncio.sleep(_WATCH_INTERVAL_S)
            for reader in self.add_new():
                if reader.begin is not None:
                    await reader.begin()
