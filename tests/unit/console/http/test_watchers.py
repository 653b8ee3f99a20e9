"""Pages that follow the numbers are bounded; a page beyond them is told to be read again by hand."""

import httpx

from services.console.http.pages import routes
from services.console.live.feed import MoveFeed
from services.console.live.upstream import Upstream
from shared.http.peers import ANONYMOUS
from shared.process.settings import ServiceSettings
from shared.service.service import Service


async def test_beyond_the_watchers_a_page_does_not_follow() -> None:
    service = Service("console", ServiceSettings())
    service.routes += routes(Upstream(ANONYMOUS, "http://a", "http://l"), MoveFeed(watchers_max=0), {})

    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.web_app()), base_url="http://console") as client:
        answer = await client.get("/live")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "WAFERLINE_WATCHERS_MAX" in answer.json()["detail"]
