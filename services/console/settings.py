"""Settings of the console; importing them loads no server."""

from pydantic import Field

from shared.process.settings import ServiceSettings


class ConsoleSettings(ServiceSettings):
    """Settings that the console reads once, when it starts."""

    aggregator_url: str = Field(default="http://127.0.0.1:8102", description="the aggregator, for all numbers")
    ledger_url: str = Field(default="http://127.0.0.1:8101", description="the ledger, for events and their proof")
    services_asked: str = Field(
        default="", description="name=URL of each further service on the page of health, separated by commas"
    )

    def service_urls(self) -> dict[str, str]:
        """Return the address of each service on the page of health, by its name."""
        further = dict(each.split("=", 1) for each in self.services_asked.split(",") if each)
        return {"ledger": self.ledger_url, "aggregator": self.aggregator_url} | further
