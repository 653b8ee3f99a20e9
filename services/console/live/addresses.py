"""Addresses of the services: those of the settings, and those of a file that changes as parties come and go."""

import asyncio
from pathlib import Path

import orjson
from pydantic import BaseModel, ValidationError

from shared.process.log import why
from shared.process.watched_file import WatchedFile
from shared.service.service import Service

_WATCH_INTERVAL_S = 1.0


class _StackFile(BaseModel):
    """The part of a stack file that the console reads."""

    services: dict[str, str]


class AddressWatch:
    """Keeps a mapping of names to addresses as the file has it; a file with a fault changes nothing."""

    def __init__(self, service: Service, path: Path, urls: dict[str, str]) -> None:
        self.service, self.file, self.urls = service, WatchedFile(path), urls
        self.always = dict(urls)
        self.follow()

    def follow(self) -> None:
        """Take the addresses of the file, if it has changed."""
        if not self.file.has_changed():
            return
        try:
            stack = _StackFile.model_validate(orjson.loads(self.file.path.read_bytes()))
        except (OSError, ValueError, ValidationError) as failure:
            self.service.log.warning("addresses_refused", path=str(self.file.path), reason=why(failure))
            return
        named = stack.services | self.always
        for gone in self.urls.keys() - named.keys():
            del self.urls[gone]
        self.urls |= named

    async def run(self) -> None:
        """Look at the file again and again."""
        while True:
            await asyncio.sleep(_WATCH_INTERVAL_S)
            self.follow()
