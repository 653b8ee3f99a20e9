"""Settings of the planner."""

from pathlib import Path

from pydantic import Field

from shared.party.settings import PartySettings


class PlannerSettings(PartySettings):
    """Settings that the planner reads once, when it starts."""

    programme: Path | None = Field(
        default=None,
        description="the programme file to declare at the start, and again when it changes, where it differs from the"
        " declarations in force; unset: that of the scenario, or none",
    )
