"""Settings of the console; importing them loads no server."""

from pathlib import Path

from pydantic import Field

from shared.process.settings import ServiceSettings, bound


class ConsoleSettings(ServiceSettings):
    """Settings that the console reads once, when it starts."""

    aggregator_url: str = Field(default="http://127.0.0.1:8102", description="the aggregator, for all numbers")
    ledger_url: str = Field(default="http://127.0.0.1:8101", description="the ledger, for events and their proof")
    body_bytes_max: int = bound(
        16_384, "bytes of a request's body", reached="413 `too-long`", watched="`waferline_requests_refused`"
    )
    import_bytes_max: int = bound(
        8 << 20,
        "bytes of a body of `POST /import`; a preview sends the sheet back, a third longer",
        reached="413 `too-long`",
        watched="`waferline_requests_refused`",
    )
    session_s: float = bound(12 * 3600, "seconds that a login lasts", reached="the page asks for the token again")
    sessions_max: int = bound(
        100, "logins of one token at a time", reached="the oldest one ends", watched="`waferline_console_sessions`"
    )
    watchers_max: int = bound(
        200,
        "open pages that follow the numbers",
        reached="503 `busy`: a page does not follow, and is read again by hand",
    )
    services_asked: str = Field(
        default="", description="name=URL of each further service on the page of health, separated by commas"
    )
    services_file: Path | None = Field(
        default=None,
        description="a JSON file with the addresses of further `services` by their names; it is read again when it"
        " changes",
    )

    def service_urls(self) -> dict[str, str]:
        """Return the address of each service that the settings name, by its name."""
        further = dict(each.split("=", 1) for each in self.services_asked.split(",") if each)
        return {"ledger": self.ledger_url, "aggregator": self.aggregator_url} | further
