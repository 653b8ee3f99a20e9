"""Loop that plans anew where the fold has moved on, and publishes the alerts of each plan."""

import asyncio
import time

from services.aggregator.live.alert_publisher import AlertPublisher
from services.aggregator.live.meters import elapsed_ms
from services.aggregator.live.view import LiveView
from shared.service.service import Service

_PAUSE_MIN_S = 0.1
_PAUSE_PER_PLAN = 3  # pauses take this many times as long as plans: three quarters of the time are left to the fold


class PlanLoop:
    """Refreshes the plan of a view and publishes its alerts."""

    def __init__(self, service: Service, view: LiveView) -> None:
        self.service, self.view = service, view
        self.publisher = AlertPublisher(service, view)

    async def run(self) -> None:
        """Publish the alerts of the first plan, then refresh it after each change."""
        await self.publisher.publish_changes()
        while True:
            await self.view.moved.wait()
            began = time.perf_counter()
            plan = await self.view.refresh()
            ms = elapsed_ms(began)
            self.service.tally.info(
                "plan_refreshed",
                position=plan.position,
                groups=len(plan.grouping.labels),
                short=int(plan.shortages().size),
                ms=ms,
                ms_max=ms,
            )
            await self.publisher.publish_changes()
            await asyncio.sleep(max(_PAUSE_MIN_S, _PAUSE_PER_PLAN * ms / 1000))
