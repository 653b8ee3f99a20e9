"""Tries to send a message: one recipient a target, and a wait that counts from the end of a try."""

import time
from pathlib import Path

import pytest

from services.notifier.outgoing import Message, Outgoing
from services.notifier.rules import RulesError, read_rules_file
from services.notifier.sending import AppriseSender, Pace, send_due
from tests.unit.notifier.test_rules import MORNING, SHORT, batch, change, rules

SEVERAL = "mailto://a:b@example.com?to=x@example.com,y@example.com"
REASON = "its address has 2 recipients: make each a target of its own"


def write_rules(folder: Path, address: str) -> Path:
    (folder / "mail").write_text(address)
    path = folder / "rules.yaml"
    path.write_text("targets: {mail: {url_file: mail}}\nrules: [{name: all, to: [mail]}]\n")
    return path


def test_an_address_of_several_recipients_is_refused_with_the_rules(tmp_path: Path):
    read = read_rules_file(write_rules(tmp_path, SEVERAL))

    with pytest.raises(RulesError, match=f"targets.mail: {REASON}"):
        AppriseSender(read, 5)


def test_an_address_that_gets_several_recipients_later_is_sent_nothing(tmp_path: Path):
    path = write_rules(tmp_path, "json://127.0.0.1:1")
    sender = AppriseSender(read_rules_file(path), 5)
    write_rules(tmp_path, SEVERAL)

    assert sender.send(Message("key", "mail", "all", "title", "body", 0, None)) == REASON


def test_the_wait_counts_from_the_end_of_a_try(tmp_path: Path):
    outgoing, ended = Outgoing(tmp_path / "out.db"), []
    outgoing.take([batch(1, change(SHORT))], rules(""), MORNING)

    def fail_slowly(_: Message) -> str:
        time.sleep(0.2)
        ended.append(time.time())
        return "nobody answers"

    send_due(outgoing, fail_slowly, Pace(60, 60), lambda *_: None)

    [end] = ended
    assert outgoing.next_due(end + 59.9) is None
    assert outgoing.next_due(time.time() + 60) is not None
