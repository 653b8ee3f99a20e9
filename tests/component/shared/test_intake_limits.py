"""A party's intake refuses events beyond the number that may wait for the ledger."""

from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import orjson

from shared.party.party import Party
from shared.party.settings import PartySettings
from shared.play.numbering import Numbering
from shared.service.service import Service
from shared.wire.events import LotStarted

KEY = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}


async def test_beyond_what_may_wait_the_door_sends_its_callers_away_and_loses_nothing(tmp_path: Path) -> None:
    numbering = Numbering("samsung")
    lot = LotStarted(**KEY, lot="L1", fab="P3", wafers=25, due_out=date(2026, 9, 1))
    settings = PartySettings(source="samsung", outbox_dir=tmp_path, unrecorded_max=3)
    service = Service("supplier", settings)
    Party(service, settings, "supplier", verdict_timeout_s=0.01)  # no ledger reads its events
    transport = httpx.ASGITransport(service.web_app())
    answers = []
    async with httpx.AsyncClient(transport=transport, base_url="http://door") as door:
        for _ in range(5):
            event = numbering.emit(datetime(2026, 3, 1, tzinfo=UTC), lot)
            answers.append(await door.post("/events", content=orjson.dumps(event.cloud_event())))

    assert [answer.status_code for answer in answers] == [202, 202, 202, 429, 429]
    assert answers[3].json()["detail"].startswith("3 events of samsung wait for the ledger")
