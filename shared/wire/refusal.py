"""Refusals: the events that the ledger does not record, each with its reason."""

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict


@dataclass(frozen=True, slots=True)
class Refusal:
    """One event that the ledger refused, as its source reads it: identity as far as it is readable, and the reason."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="forbid")

    sequence: int | None
    id: str | None
    code: str  # a ReasonCode
    path: str  # of the wrong field; empty: the whole event
    message: str


@dataclass(frozen=True, slots=True)
class RefusedEvent(Refusal):
    """A refusal with its source and the bytes as they came, which need not be JSON: as the ledger stores it."""

    source: str
    body: bytes
