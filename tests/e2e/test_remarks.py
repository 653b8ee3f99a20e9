"""What a planner says of an alert, a line, a site or a product stands beside its number, as of past positions too."""

import json
import subprocess
import sys

import httpx
import pytest

from services.operator.stack.calls import call
from services.operator.stack.stack import Stack, started
from testing.cloud_events import Party
from tests.e2e.test_declaring import PROGRAMME, until

KEY = {"product": "PLAIN", "site": "lulea-1"}
LINE = "line/order/lulea/o1"


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    folder = tmp_path_factory.mktemp("remarks")
    (folder / "nordic.yaml").write_text(PROGRAMME)
    with started(Stack(folder / "stack", programme_file=folder / "nordic.yaml")) as running:
        lulea = Party("lulea", supplier="fjord-memory")
        site = {
            "name": "Lulea one", "country": "SE", "mooring": "onshore", "mw": 100, "pue_percent": 110, "land_ha": 10,
            "waterplane_m2": None, "kg_co2_per_mwh": 20, "evidence": "", "confidence": "sourced",
        }  # fmt: skip
        events = [
            lulea.publish("2026-02-01", "site.declared", site="lulea-1", **site, revision=0),
            lulea.order("2026-02-01", "o1", 40, "2026-03-20", **KEY),
            lulea.advance("2026-02-28"),
        ]
        until(lambda: "PLAIN" in ask(running, "/declarations", service="planner-nordic-planning")["products"])
        body = b"\n".join(json.dumps(event).encode() for event in events)
        verdicts = call(running.url("datacenter-lulea") + "/events", method="POST", content=body).json()
        assert [verdict["status"] for verdict in verdicts] == ["recorded"] * 3, verdicts
        until(lambda: ask(running, "/alerts")["rows"])
        yield running


def ask(stack, path, service="aggregator", **query):
    return call(stack.url(service) + path, params=query).json()


def waferline(stack, *arguments, code=0):
    done = subprocess.run(
        [sys.executable, "-m", "services.operator", *arguments, "--data", str(stack.folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout if code == 0 else done.stderr


def page(stack, path, **query):
    return httpx.get(stack.url("console") + path, params=query, timeout=30).text


def test_an_alert_is_acknowledged_and_rests_until_a_day_of_the_state(stack):
    before = ask(stack, "/state")["position"]
    [alert] = ask(stack, "/alerts")["rows"]
    assert alert["name"] == "short_within/PLAIN/lulea-1/2026-03-20"

    said = waferline(
        stack, "acknowledge", "short_within/PLAIN/lulea-1", "--assignee", "Kim", "--note", "asked", "--snooze-until",
        "2026-03-10", "--json",
    )  # fmt: skip
    until(lambda: ask(stack, "/alerts")["rows"][0]["acknowledged"])

    [row], [shortage] = ask(stack, "/alerts")["rows"], ask(stack, "/shortages")["rows"]
    assert json.loads(said)["status"] == "recorded"
    assert row["acknowledged"] == shortage["acknowledged"]
    assert {name: row["acknowledged"][name] for name in ("assignee", "note", "snoozed_until", "is_snoozed")} == {
        "assignee": "Kim", "note": "asked", "snoozed_until": "2026-03-10", "is_snoozed": True,
    }  # fmt: skip
    assert ask(stack, "/alerts", as_of=str(before))["rows"][0]["acknowledged"] is None
    assert "Kim" in waferline(stack, "alerts")
    assert "Kim, snoozed until 10 Mar 2026: asked" in page(stack, "/")
    assert "Kim" not in page(stack, "/", as_of=str(before))
    waferline(stack, "acknowledge", "short_within/PLAIN/lulea-1", "--note", "asked again")
    until(lambda: ask(stack, "/alerts")["rows"][0]["acknowledged"]["note"] == "asked again")
    again = ask(stack, "/alerts")["rows"][0]["acknowledged"]
    assert (again["assignee"], again["snoozed_until"]) == ("Kim", "2026-03-10")


def test_a_note_stands_beside_a_line_a_site_and_a_product(stack):
    before = ask(stack, "/state")["position"]
    for about, text in ((LINE, "of the line"), ("site/lulea-1", "of the site"), ("product/PLAIN", "of the product")):
        waferline(stack, "note", about, text, "--by", "Park")
    until(lambda: len(ask(stack, "/remarks")["rows"]) == 3)
    until(lambda: len(ask(stack, "/alerts")["rows"][0]["notes"]) == 2)

    [line], [site] = ask(stack, "/lines", kind="order")["rows"], ask(stack, "/sites")["rows"]
    assert [note["text"] for note in line["notes"]] == ["of the line"]
    assert [note["text"] for note in site["notes"]] == ["of the site"]
    assert {note["text"] for note in ask(stack, "/alerts")["rows"][0]["notes"]} == {"of the site", "of the product"}
    for command in ("lines", "sites", "shortages", "shortages --why", "site lulea-1", "since 1"):
        assert "Park" in waferline(stack, *command.split()), command
    for path in ("/lines", "/sites", "/sites/lulea-1", "/log", "/shortages"):
        assert "(Park)" in page(stack, path), path
        assert "(Park)" not in page(stack, path, as_of=str(before)), path
    until(lambda: "(Park)" in page(stack, "/since", since=str(before)))
    assert "of the line" in waferline(stack, "remarks", "--about", LINE)


def test_a_note_is_revised_and_taken_back(stack):
    said = json.loads(waferline(stack, "note", "site/lulea-1", "first", "--name", "n1", "--json"))
    until(lambda: "first" in waferline(stack, "remarks"))
    waferline(stack, "note", "site/lulea-1", "second", "--name", "n1")
    until(lambda: "second" in waferline(stack, "remarks"))
    waferline(stack, "note", "site/lulea-1", "--name", "n1", "--withdrawn")
    until(lambda: "second" not in waferline(stack, "remarks"))

    assert "first" not in waferline(stack, "remarks")
    assert ask(stack, f"/events/{said['source']}/{said['id']}", service="ledger")["event"]["data"]["text"] == "first"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("acknowledge", "short_within/PLAIN/oulu-1"), "no alert short_within/PLAIN/oulu-1 is open"),
        (("acknowledge", "short_within/PLAIN/lulea-1", "--snooze-until", "soon"), "is not a day as YYYY-MM-DD"),
        (("note", "site/nowhere", "x"), "site is 'nowhere'"),
        (("note", "site/lulea-1", "--name", "typo", "--withdrawn"), "no note typo is on site/lulea-1"),
        (("note", "line/order/lulea/o2", "x"), "lulea has no order o2"),
        (("note", "somewhere", "x"), "is nothing to note on"),
    ],
)
def test_a_remark_on_what_nobody_knows_is_refused(stack, arguments, reason):
    assert reason in " ".join(waferline(stack, *arguments, code=1).split())


def test_the_page_takes_a_remark_and_takes_it_back(stack):
    console = stack.url("console")
    form = {"type": "note.added", "about": "product/PLAIN", "planner": "planner-nordic-planning", "text": "by page"}
    answer = httpx.post(f"{console}/remarks", data=form, timeout=30)
    until(lambda: "by page" in page(stack, "/remarks", about="product/PLAIN"))
    [note] = [row for row in ask(stack, "/remarks")["rows"] if row["text"] == "by page"]
    undone = form | {"name": note["note"], "revision": str(note["revision"]), "withdrawn": "1", "text": ""}

    assert (answer.status_code, answer.headers["location"]) == (303, "/remarks?about=product/PLAIN")
    assert httpx.post(f"{console}/remarks", data=undone, timeout=30).status_code == 303
    until(lambda: "by page" not in page(stack, "/remarks"))
    assert "the note is empty" in httpx.post(f"{console}/remarks", data=form | {"text": ""}, timeout=30).text
    assert "no planner of this stack" in httpx.post(f"{console}/remarks", data=form | {"planner": "x"}, timeout=30).text


def test_remarks_change_no_balance(stack):
    state = ask(stack, "/state")
    waferline(stack, "note", "site/lulea-1", "one more")
    until(lambda: ask(stack, "/state")["position"] > state["position"])

    assert ask(stack, "/state")["state_hash"] == state["state_hash"]
