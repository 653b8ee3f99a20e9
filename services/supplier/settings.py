"""Settings of the supplier."""

from pydantic import Field

from shared.party.settings import PartySettings


class SupplierSettings(PartySettings):
    """Settings that the supplier reads once, when it starts."""

    source: str = Field(default="samsung", description="the source of its events")
