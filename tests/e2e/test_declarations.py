"""Does a declaration take effect on a running stack: at the doors, in the alerts, and in a horizon folded anew?"""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.operator.ask.client import ask
from services.operator.record.curves import fold
from services.operator.record.store import open_store
from services.operator.stack.settling import settle
from services.operator.stack.stack import Stack, started
from shared.play.numbering import Numbering
from shared.wire.events import (
    Event,
    EventData,
    ProductDeclared,
    ProgrammeDeclared,
    ProgrammeHorizon,
    ProgrammeTarget,
    StockOpened,
)
from tests.e2e.test_command_line import complete
from tests.e2e.test_mishaps import until

TIME = datetime(2026, 3, 1, 12, tzinfo=UTC)
HORIZON = ProgrammeHorizon(starts_on=date(2026, 1, 1), ends_on=date(2027, 12, 31))
planner, site = Numbering("planning"), Numbering("lulea")
PROGRAMME = """
name: nordic-cloud
parties: {suppliers: {fjord-memory: {}}, datacenters: {lulea: {}}, planners: {planning: {}}}
"""


@pytest.fixture
def stack(folder: Path, redis_url: str, tmp_path: Path) -> Iterator[Stack]:
    """A stack with the parties of a programme that declares neither products nor a horizon yet."""
    file = tmp_path / "nordic.yaml"
    file.write_text(PROGRAMME)
    with started(Stack(folder, redis_url=redis_url, programme_file=file)) as stack:
        yield stack


def post(stack: Stack, party: str, event: Event) -> dict[str, Any]:
    """Hand in an event at a party's door; return the door's answer."""
    answer = httpx.post(f"{stack.url(party)}/events", content=json.dumps(event.cloud_event()), timeout=60)
    settle(stack)
    return dict(answer.json()[0])


def declare(stack: Stack, declaration: EventData) -> None:
    assert post(stack, "planner-planning", planner.emit(TIME, declaration))["status"] == "recorded"


def hand_in(stack: Stack, product: str) -> dict[str, Any]:
    """Hand in wafers of a product."""
    data = StockOpened(product=product, site="lulea-1", supplier="fjord-memory", wafers=10)
    return post(stack, "datacenter-lulea", site.emit(TIME, data))


def undeclared(stack: Stack) -> list[str]:
    rows = ask(stack.folder, "aggregator", "/alerts", code="undeclared_product")["rows"]
    return [row["subject"]["product"] for row in rows]


def test_a_shell_completes_the_names_of_a_running_stack(stack: Stack) -> None:
    hand_in(stack, "HBM4E-16H")

    until("they are folded", lambda: complete(f"waferline cover --data {stack.folder} --product H") == ["HBM4E-16H"])
    assert complete(f"waferline cover --data {stack.folder} --site l") == ["lulea-1"]
    assert complete(f"waferline cover --data {stack.folder} --site x") == []


def test_a_declaration_takes_effect_on_a_running_stack(stack: Stack) -> None:
    assert hand_in(stack, "HBM4E-16H")["status"] == "recorded"  # no product is declared: there is no programme yet
    assert undeclared(stack) == []

    declare(stack, ProductDeclared(product="HBM4-12H", revision=0))
    until("it is raised", lambda: undeclared(stack) == ["HBM4E-16H"])
    until("the door knows of it", lambda: hand_in(stack, "HBM4-12")["status"] == "refused")
    refused = hand_in(stack, "HBM4-12")
    assert (refused["code"], refused["path"]) == ("unknown_product", "data.product")
    assert "HBM4-12H" in refused["message"]

    declare(stack, ProductDeclared(product="HBM4E-16H", revision=0))
    # a door that learnt late of the first declaration has taken HBM4-12, which nobody declares
    until("it is cleared", lambda: "HBM4E-16H" not in undeclared(stack))

    target = ProgrammeTarget(wafers_per_month=100)
    declare(stack, ProgrammeDeclared(programme="nordic-cloud", revision=9, target=target, horizon=HORIZON))
    until("it is folded anew", lambda: ask(stack.folder, "aggregator", "/state")["horizon"]["days"] == 730)
    until("it is well", lambda: stack.is_up("aggregator"))
    state = ask(stack.folder, "aggregator", "/state")
    months = ask(stack.folder, "aggregator", "/months")

    assert state["horizon"] == {"start": "2026-01-01", "days": 730}
    assert state["state_hash"] == fold(open_store(stack.folder)).state_hash()
    assert list(state["watermarks"]) == ["lulea"]  # a planner is no source
    assert (months["target_wafers"], len(months["rows"])) == (100, 24)
