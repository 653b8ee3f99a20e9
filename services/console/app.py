"""The console's wiring: pages over the aggregator and the ledger, and a feed of moves to open pages."""

import time
from typing import cast

from prometheus_client import Gauge

from services.console.http.charts import draw_svg, months_chart
from services.console.http.importing import PATH as IMPORT_PATH
from services.console.http.login import SessionCookie, Sessions
from services.console.http.pages import routes
from services.console.live.addresses import AddressWatch
from services.console.live.feed import MoveFeed
from services.console.live.upstream import Upstream
from services.console.settings import ConsoleSettings
from shared.http.peers import read_caller
from shared.http.request_bounds import BodyBound
from shared.service.entries import Entry, entry_order
from shared.service.service import Service
from shared.wire.streams import ALERTS, BALANCES, DATA


def build_app(settings: ConsoleSettings) -> Service:
    """Return the console. It keeps no state, so a restart loses none."""
    service = Service("console", settings)
    caller = read_caller(settings)
    upstream = Upstream(caller, settings.aggregator_url, settings.ledger_url, wait_s=settings.answer_wait_s)
    feed = MoveFeed(settings.watchers_max)
    sessions = Sessions(service.access, settings)
    urls = settings.service_urls()
    if settings.services_file is not None:
        service.run_beside(AddressWatch(service, settings.services_file, urls).run)
    service.routes += routes(upstream, feed, urls, sessions)
    service.bodies[IMPORT_PATH] = BodyBound(settings.import_bytes_max, "WAFERLINE_IMPORT_BYTES_MAX")
    service.middleware.append(SessionCookie.middleware(sessions))
    Gauge("waferline_console_sessions", "Logins that last", registry=service.registry).set_function(
        lambda: sessions.count
    )
    service.facts = lambda: {"position": feed.position, "watching": feed.watching}

    @service.reads(BALANCES, after="0-0")
    async def follow_balances(entries: list[Entry]) -> None:
        feed.publish(entries)

    @service.reads(ALERTS, after="0-0")
    async def follow_alerts(entries: list[Entry]) -> None:
        feed.publish(entries)

    async def begin_now() -> None:
        """Skip the streams' past, as the pages ask for the current state; draw once, as the first chart is slow."""
        await draw_svg(months_chart([], None))
        for reader in service.readers:
            last = await service.redis.xrevrange(reader.stream, count=1)
            if last:
                number, fields = cast(tuple[bytes, dict[bytes, bytes]], last[0])
                reader.start_after(number.decode())
                if reader.stream == BALANCES:  # its ids are times
                    quiet_s = max(0.0, time.time() - entry_order(number.decode())[0] / 1000)
                    feed.start_at(fields[DATA.encode()], quiet_s)

    service.at_start.append(begin_now)
    return service
