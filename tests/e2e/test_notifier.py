"""An alert of a running stack reaches a mail server and a web hook; after a kill -9 the notifier goes on."""

import json

import pytest

from services.operator.stack.calls import call
from services.operator.stack.stack import Stack, started
from testing.cloud_events import Party
from tests.component.notifier.receivers import receivers
from tests.e2e.test_declaring import PROGRAMME, until


@pytest.fixture
def receiver():
    with receivers() as running:
        yield running


def test_alerts_are_sent_by_the_rules_and_a_killed_notifier_goes_on(tmp_path, receiver):
    (tmp_path / "nordic.yaml").write_text(PROGRAMME)
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        f"targets:\n  mail: {{url: '{receiver.mail_url}'}}\n  hook: {{url: '{receiver.post_url}'}}\n"
        "rules:\n  - {name: all, to: [mail]}\n  - {name: oulu, to: [hook], sites: [oulu-1], codes: [short_within]}\n"
    )
    lulea = Party("lulea", supplier="fjord-memory")
    orders = [
        lulea.order("2026-02-01", f"o{n}", 40, "2026-03-20", product="PLAIN", site=site)
        for n, site in enumerate(("lulea-1", "oulu-1"))
    ]
    with started(Stack(tmp_path / "stack", programme_file=tmp_path / "nordic.yaml", notify=rules)) as stack:

        def say(*events):
            body = b"\n".join(json.dumps(event).encode() for event in events)
            url = stack.url("datacenter-lulea") + "/events"
            until(lambda: call(url, method="POST", content=body).status_code == 200)

        planner = stack.url("planner-nordic-planning") + "/declarations"
        until(lambda: "PLAIN" in call(planner).json()["products"])
        say(orders[0], lulea.advance("2026-02-27"))
        until(lambda: receiver.mails)
        stack.kill("notifier")
        say(orders[1], lulea.advance("2026-02-28"))
        until(lambda: any("oulu-1" in str(row) for row in call(stack.url("aggregator") + "/alerts").json()["rows"]))
        stack.start_service("notifier")
        until(lambda: receiver.posts)
        until(lambda: len(receiver.mails) > 1)
        until(lambda: call(stack.url("notifier") + "/messages").json()["waiting"] == 0)

        log = stack.folder / "logs/notifier.log"
        rules.write_text("targets: {}\nrules: [{name: all, to: [mail]}]\n")
        until(lambda: "rules_refused" in log.read_text())
        rules.write_text("targets: {}\nrules: []\n")
        until(lambda: "rules_taken" in log.read_text())
        said = call(stack.url("notifier") + "/messages").json()
        link = f"{stack.url('console')}/remarks?about=alert%2Fshort_within%2FPLAIN%2Foulu-1%2F2026-03-20"
    assert set(receiver.mails.values()) == set(receiver.posts.values()) == {1}
    assert (said["waiting"], said["failing"]) == (0, 0)
    assert len(receiver.posts) == 1  # the rule of one site and code
    assert any(link in body for body in receiver.bodies)
