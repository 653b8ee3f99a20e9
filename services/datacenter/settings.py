"""Settings of the datacenter."""

from pydantic import Field

from shared.party.settings import PartySettings


class DatacenterSettings(PartySettings):
    """Settings that the datacenter reads once, when it starts."""

    source: str = Field(default="stargate-americas", description="the source of its events")
