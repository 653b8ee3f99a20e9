"""Settings of a party."""

from datetime import date
from pathlib import Path

from pydantic import Field

from shared.play.variants import VariantName
from shared.process.settings import ServiceSettings, bound


class PartySettings(ServiceSettings):
    """Settings that a party reads once, when it starts."""

    source: str = Field(description="the source of its events")
    planners: str = Field(
        default="",
        description="the sources of declarations; with commas. A product that none of them declares is refused",
    )
    parties_file: Path | None = Field(
        default=None,
        description="a JSON file of further sources by `suppliers`, `datacenters` and `planners`; it is read again when"
        " it changes, so that the party reads the stream of a new planner without a restart",
    )
    outbox_dir: Path = Field(default=Path("data/outbox"), description="the folder of its outbox; keep it")
    scenario: Path | None = Field(
        default=None, description="simulate this party of a scenario file; unset: take events over HTTP"
    )
    variant: VariantName = Field(default="announced", description="the scenario's variant")
    seed: int = Field(default=2026, description="seed of the simulation's random draws")
    until: date = Field(default=date(2027, 12, 31), description="the last day to simulate")
    pace_s: float = Field(default=0, ge=0, description="seconds that a simulated day takes at least")
    ledger_url: str = Field(
        default="http://127.0.0.1:8101", description="the ledger, for the lines that a document replaces"
    )
    profiles: Path = Field(
        default=Path("profiles"),
        description="the folder with the profiles of partners, <name>.yaml, for their documents",
    )
    document_bytes_max: int = bound(
        16 << 20,
        "bytes of a body of `POST /documents`",
        reached="413 `too-long`",
        watched="`waferline_requests_refused`",
    )
    documents_max: int = bound(4, "documents that are read or wait to be read", reached="503 `busy`, with Retry-After")
    unrecorded_max: int = bound(
        100_000,
        "events that may wait for the ledger",
        reached="429 `too-many-wait`; a simulation waits",
        watched="`waferline_outbox_events`",
    )
    request_events_max: int = bound(
        5_000, "lines of a body of `POST /events`", reached="413 `too-long`", watched="`waferline_requests_refused`"
    )
    names_max: int = bound(
        5_000,
        "names that the source may use: products at sites of suppliers, and sites",
        reached="429 `too-many-names`, and nothing of the body is taken",
        watched="`waferline_names`; `names_near_limit` from 80 % on",
    )
