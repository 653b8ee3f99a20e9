"""The console's wiring: pages made of what the aggregator and the ledger answer, told anew when balances move."""

import time
from typing import cast

from pydantic import Field

from services.console.http.charts import draw_svg, months_chart
from services.console.http.login import TokenCookie
from services.console.http.pages import routes
from services.console.live.feed import Live
from services.console.live.upstream import Peers
from shared.http.peers import read_caller
from shared.process.settings import ServiceSettings
from shared.service.entries import Entry, entry_order
from shared.service.service import Service
from shared.wire.streams import ALERTS, BALANCES, DATA


class ConsoleSettings(ServiceSettings):
    """What the console must know before it starts."""

    aggregator_url: str = Field(default="http://127.0.0.1:8102", description="asked for the numbers")
    ledger_url: str = Field(default="http://127.0.0.1:8101", description="asked for events and their proof")
    services_asked: str = Field(default="", description="name=URL of each service whose health is shown, with commas")


def build_app(settings: ConsoleSettings) -> Service:
    """Return the console: it keeps nothing, so a restart forgets nothing."""
    service = Service("console", settings)
    peers = Peers(read_caller(settings), settings.aggregator_url, settings.ledger_url)
    live = Live()
    asked = dict(each.split("=", 1) for each in settings.services_asked.split(",") if each)
    services = {"ledger": settings.ledger_url, "aggregator": settings.aggregator_url} | asked
    service.routes += routes(peers, live, services)
    service.middleware.append(TokenCookie.middleware(service.access))
    service.facts = lambda: {"position": live.position, "watching": live.watching}

    @service.reads(BALANCES, after="0-0")
    async def tell_balances(entries: list[Entry]) -> None:
        live.hear(entries)

    @service.reads(ALERTS, after="0-0")
    async def tell_alerts(entries: list[Entry]) -> None:
        live.hear(entries)

    async def begin_now() -> None:
        """Skip what is on the streams, as the pages ask how things stand; and draw once, as the first takes longest."""
        await draw_svg(months_chart([], None))
        for reader in service.readers:
            last = await service.redis.xrevrange(reader.stream, count=1)
            if last:
                number, fields = cast(tuple[bytes, dict[bytes, bytes]], last[0])
                reader.start_after(number.decode())
                if reader.stream == BALANCES:  # whose ids are times
                    live.begin(fields[DATA.encode()], max(0.0, time.time() - entry_order(number.decode())[0] / 1000))

    service.at_start.append(begin_now)
    return service
