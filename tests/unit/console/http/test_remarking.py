"""The form of an acknowledgement has what is in force; a remark that was sent is there when the page comes back."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from services.console.http.remarking import RemarkForm, publish_remark
from services.console.live.upstream import Upstream
from shared.http.peers import ANONYMOUS
from testing.cloud_events import Party
from testing.played import play
from tests.cases.tapes import RECORDED
from tests.unit.console.http.test_deciding import Console, log_of
from tests.unit.console.http.test_tables import Services

ALERT = "short_within/HBM4-12H/TX-ABILENE/2026-11-10"
PLANNER = {"planner-planning": "http://planner"}


@pytest.fixture
def short() -> list[dict[str, object]]:
    texas = Party("stargate-americas")
    return log_of(texas, texas.order("2026-10-02", "a", 40, "2026-11-10"))


def acknowledged() -> dict[str, object]:
    return Party("planning").publish(
        "2026-10-30", "alert.acknowledged", alert=ALERT, assignee="Kim", note="asked", snoozed_until="2026-11-09",
        by="Park", revision=0,
    )  # fmt: skip


def test_the_form_that_acknowledges_has_what_is_in_force(short):
    page = Console([*short, acknowledged()], PLANNER).get("/remarks", about=f"alert/{ALERT}")

    form = page.partition('id="acknowledge"')[2].partition("</form>")[0]
    assert 'name="assignee" size="14" maxlength="200" value="Kim"' in form
    assert 'name="snoozed_until" type="date" value="2026-11-09"' in form
    assert 'name="note" size="40" maxlength="200" value="asked"' in form
    assert 'name="by" size="14" maxlength="200">' in form  # whoever acknowledges it now


def test_the_form_of_an_alert_that_is_not_acknowledged_is_empty(short):
    page = Console(short, PLANNER).get("/remarks", about=f"alert/{ALERT}")

    assert 'name="assignee" size="14" maxlength="200" value=""' in page
    assert 'name="snoozed_until" type="date" value=""' in page


class Behind(Services):
    """An aggregator that folds what the planner takes only after it was asked a few times."""

    def __init__(self, before, after) -> None:
        super().__init__(before)
        self.folded, self.asked_behind, self.is_sent = httpx.ASGITransport(after.app), 0, False
        self.apps["planner"] = httpx.ASGITransport(Starlette(routes=[Route("/events", self.take, methods=["POST"])]))

    async def take(self, _) -> JSONResponse:
        self.is_sent = True
        return JSONResponse([{"status": "recorded"}])

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_sent and request.url.host == "aggregator":
            self.asked_behind += 1
            if self.asked_behind > 3:
                self.apps["aggregator"] = self.folded
        return await super().handle_async_request(request)


def test_a_remark_that_was_sent_is_folded_when_the_page_comes_back(short):
    services = Behind(play(short, on=RECORDED), play([*short, acknowledged()], on=RECORDED))
    upstream = Upstream(ANONYMOUS, "http://aggregator", "http://ledger", services)
    form = RemarkForm.read(f"type=alert.acknowledged&about=alert/{ALERT}&planner=planner-planning".encode())

    async def publish_and_look():
        await publish_remark(upstream, PLANNER, form)
        return await upstream.aggregator("/remarks")

    assert [row["assignee"] for row in asyncio.run(publish_and_look())["acknowledged"]] == ["Kim"]
