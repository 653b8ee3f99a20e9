"""Messages through Apprise to a real SMTP server and a real HTTP sink: what comes, what does not, and what is said."""

import time
from pathlib import Path

import pytest

from services.notifier.outgoing import Outgoing
from services.notifier.rules import Rules, RulesError, read_rules
from services.notifier.sending import AppriseSender, Pace, send_due, without_secrets
from tests.component.notifier.killed import entry
from tests.component.notifier.receivers import receivers


def rules_of(**urls: str) -> Rules:
    targets = "".join(f"  {name}: {{url: '{url}'}}\n" for name, url in urls.items())
    return read_rules(f"targets:\n{targets}rules:\n  - {{name: all, to: [{', '.join(urls)}]}}\n", "rules")


def test_a_message_comes_to_each_target_with_its_text_and_key(tmp_path: Path) -> None:
    with receivers() as receiver:
        rules = rules_of(mail=receiver.mail_url, hook=receiver.post_url)
        outgoing = Outgoing(tmp_path / "out.db", "http://127.0.0.1:8103")
        outgoing.take([entry(7)], rules, time.time())

        assert send_due(outgoing, AppriseSender(rules, 5).send, Pace(1, 1), lambda *_: None) == 2

        [mail], [post] = receiver.mails, receiver.posts
        assert mail == f"<{post}@waferline>"
        assert all("raised: short within A site-7: 2024-10-11, wafers 7" in body for body in receiver.bodies)
        assert all(f"Message {post}" in body for body in receiver.bodies)
        assert outgoing.counts() == (0, 0, 2)


def test_what_could_not_be_sent_is_said_and_tried_again_and_holds_up_no_other_target(tmp_path: Path) -> None:
    said = []
    with receivers(status=500) as broken, receivers() as receiver:
        rules = rules_of(broken=broken.post_url, mail=receiver.mail_url)
        outgoing = Outgoing(tmp_path / "out.db")
        outgoing.take([entry(1), entry(2)], rules, time.time())

        send_due(outgoing, AppriseSender(rules, 5).send, Pace(60, 60), lambda *each: said.append(each[:2]))

        assert sorted((message.target, reason is None) for message, reason in said) == [
            ("broken", False), ("mail", True), ("mail", True),
        ]  # fmt: skip
        [failing] = outgoing.failing()
        assert (failing.target, failing.tries) == ("broken", 1)
        assert "500" in str(failing.failure)

    with receivers() as again:
        mended = rules_of(broken=again.post_url, mail=again.mail_url)
        outgoing.connection.execute("UPDATE messages SET due = 0")
        send_due(outgoing, AppriseSender(mended, 5).send, Pace(60, 60), lambda *_: None)

        assert (len(again.posts), outgoing.counts()) == (2, (0, 0, 4))


def test_nobody_at_the_address_is_a_reason(tmp_path: Path) -> None:
    with receivers() as receiver:
        gone = receiver.mail_url
    rules = rules_of(gone=gone, never="nothing://x")
    outgoing = Outgoing(tmp_path / "out.db")
    outgoing.take([entry(1)], rules, time.time())

    send_due(outgoing, AppriseSender(rules, 2).send, Pace(60, 60), lambda *_: None)

    reasons = {message.target: message.failure for message in outgoing.failing()}
    assert "Connection error" in str(reasons["gone"])
    assert reasons["never"] == "the address of never is none that Apprise knows"


@pytest.mark.parametrize(
    "url", ["mailto://user:sesame@example.com", "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"]
)
def test_an_address_with_a_secret_belongs_in_a_file(url: str) -> None:
    with pytest.raises(RulesError, match=r"targets\.hook: its address has a password") as why:
        AppriseSender(rules_of(hook=url), 5)

    assert not any(part in str(why.value) for part in ("sesame", "TIiajkdnlazkcOXrIdevi7FQ"))


def test_the_reason_of_a_message_that_was_not_sent_has_no_secret(tmp_path: Path) -> None:
    shown, hidden = "json://user:****@example.com/?format=text", "json://user:sesame@example.com/?format=text"

    said = without_secrets(f"example.com refuses user with sesame at {hidden}", hidden, shown)

    assert said == f"example.com refuses user with **** at {shown}"


def test_a_secret_that_the_address_has_encoded_is_masked_in_both_forms() -> None:
    shown, hidden = "json://user:****@example.com", "json://user:se%23same@example.com"

    said = without_secrets(f"no se#same at {hidden}", hidden, shown)

    assert said == f"no **** at {shown}"


def test_a_notifier_that_stops_leaves_what_is_due_to_the_next_one(tmp_path: Path) -> None:
    with receivers() as receiver:
        rules = rules_of(hook=receiver.post_url)
        outgoing = Outgoing(tmp_path / "out.db")
        outgoing.take([entry(1), entry(2)], rules, time.time())
        sender = AppriseSender(rules, 5)

        assert send_due(outgoing, sender.send, Pace(1, 1), lambda *_: None, lambda: bool(receiver.posts)) == 1
        assert (len(receiver.posts), outgoing.counts()) == (1, (1, 0, 1))
