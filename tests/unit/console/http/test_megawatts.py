"""The pages of the sites show megawatts on beside those populated, and onshore beside floating sites."""

import asyncio
import csv
from io import StringIO

import httpx
import pytest
from starlette.applications import Starlette

from services.console.http.pages import routes
from services.console.live.feed import MoveFeed
from services.console.live.upstream import Upstream
from shared.http.peers import ANONYMOUS
from testing.megawatts import half_populated


@pytest.fixture(scope="module")
def page():
    app = half_populated().app
    upstream = Upstream(ANONYMOUS, "http://aggregator", "http://ledger", httpx.ASGITransport(app))
    console = Starlette(routes=routes(upstream, MoveFeed(), {}))

    def get(path: str, **params: str) -> str:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(console), base_url="http://console") as client:
                return await client.get(path, params=params)

        answer = asyncio.run(ask())
        assert answer.status_code == 200
        return " ".join(answer.text.split()) if not params else answer.text

    return get


def test_a_sites_page_names_what_its_megawatts_wait_for(page):
    shown = page("/sites/abilene")

    assert "100 MW on, <strong>49.8</strong> populated, <strong>50.2</strong> wait for memory: 1,672 wafers of" in shown
    assert "Since energised: 14,400 MWh at full load, 5,760 t CO₂ at 400 kg a MWh (grid)." in shown
    assert 'id="chart-megawatts"' in shown
    assert '<td class="n">150</td><td class="n">101.1</td><td>HBM4-12H</td>' in shown


def test_the_sites_page_has_the_populated_megawatts_and_the_footprint(page):
    shown = page("/sites")

    assert "100 MW energised, 49.8 MW populated" in shown
    assert "50.2 wait for LP5X-16G" in shown
    assert 'data-rows="footprint"' in shown


def test_the_rows_of_the_sites_have_megawatts_and_energy(page):
    rows = list(csv.DictReader(StringIO(page("/sites", format="csv"))))

    assert [(row["site"], row["mw_populated"], row["energy_mwh"]) for row in rows] == [("abilene", "49.8", "14400")]
