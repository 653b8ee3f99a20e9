"""The ledger's settings."""

from pathlib import Path

from pydantic import Field

from shared.process.settings import ServiceSettings, bound
from shared.wire.streams import Role


class LedgerSettings(ServiceSettings):
    """The settings that the ledger has beside those of every service."""

    ledger_store: str = Field(default="data/ledger.db", description="a path, or a postgresql:// URL")
    store_password_file: Path | None = Field(default=None, description="of the URL's user; none: as the URL says")
    checkpoint_key: Path | None = Field(default=None, description="signs checkpoints; none: nothing is signed")
    checkpoints: Path = Field(default=Path("data/checkpoints.txt"), description="kept where the store is not")
    checkpoint_every_s: float = Field(default=60, gt=0, description="how often it signs")
    suppliers: str = Field(default="", description="the sources of supply; with commas")
    datacenters: str = Field(default="", description="the sources of demand; with commas")
    planners: str = Field(default="", description="the sources of declarations; with commas")
    parties_file: Path | None = Field(
        default=None,
        description="a JSON file of further sources by `suppliers`, `datacenters` and `planners`; it is read again when"
        " it changes, so that a party is added without a restart",
    )
    trust_recorded: bool = Field(
        default=False, description="take the recorded time from the sender: replay, simulation"
    )
    past_queries_max: int = bound(
        4,
        "queries of the past, searches for movements, and rehearsals, at once",
        reached="503 `busy`, with Retry-After",
        watched="`waferline_past_queries`",
    )
    rehearsal_bytes_max: int = bound(
        16 << 20,
        "bytes of a body of `POST /rehearsal`",
        reached="413 `too-long`",
        watched="`waferline_requests_refused`",
    )
    read_max: int = bound(100, "entries of a stream in one transaction", reached="the others wait for the next one")

    def store_login(self) -> dict[str, str]:
        """Return the connection options of a store at a URL: the password, and the CA of the server."""
        from shared.process.credentials import postgres_login  # noqa: PLC0415 (it loads the driver of Redis)

        return postgres_login(self.store_password_file, self.tls_ca_file)

    def parties(self) -> list[tuple[Role, str]]:
        """Return the role and the name of every source that the settings name."""
        names: dict[Role, str] = {
            "supplier": self.suppliers, "datacenter": self.datacenters, "planner": self.planners
        }  # fmt: skip
        return [(role, name) for role, listed in names.items() for name in listed.split(",") if name]
