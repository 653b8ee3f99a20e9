"""The alerts that each rule takes, what becomes of them, and the faults of a file of rules."""

import json
import traceback
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.notifier.outgoing import Outgoing, message_key
from services.notifier.rules import Rules, RulesError, read_rules, read_rules_file
from shared.wire.alerts import SUBJECTS, AlertBatch, AlertChange, AlertName

MAIL = "targets: {mail: {url: 'mailto://x'}}\n"
MORNING = datetime(2026, 9, 1, 7, tzinfo=UTC).timestamp()
DAY_S = 86_400


def rules(*each: str) -> Rules:
    return read_rules(
        MAIL + "rules:\n" + "".join(f"  - {{name: r{n}, to: [mail], {r}}}\n" for n, r in enumerate(each)), "f"
    )


def change(name: AlertName, status: str = "raised", wafers: int | None = 10) -> AlertChange:
    detail = {} if wafers is None or status == "cleared" else {"wafers": wafers}
    subject = dict(zip(SUBJECTS[name.code], name.subject, strict=True))
    return AlertChange(
        id="0", code=name.code, status=status, subject=subject, day=name.day, detail=detail, causes=[], name=name.text
    )


SHORT = AlertName("short_within", ("A", "north"), 20_000)
OTHER = AlertName("short_within", ("B", "south"), 20_000)
SILENT = AlertName("source_silent", ("samsung",), None)


def batch(number: int, *changes: AlertChange) -> tuple[str, AlertBatch]:
    found = AlertBatch(epoch=1, number=number, position=number, complete_through=None, changes=list(changes))
    return f"1-{number}", found


@pytest.mark.parametrize(
    ("rule", "taken"),
    [
        ("", {SHORT, OTHER, SILENT}), ("codes: [short_within]", {SHORT, OTHER}), ("sites: [north]", {SHORT, SILENT}),
        ("products: [B], sites: [south, north]", {OTHER, SILENT}), ("least_wafers: 11", {SILENT}),
        ("least_wafers: 10", {SHORT, OTHER, SILENT}), ("suppliers: [x]", {SHORT, OTHER, SILENT}),
    ],
)  # fmt: skip
def test_a_rule_takes_the_alerts_of_its_filters(rule, taken):
    [read] = rules(rule).rules

    changes = {name: change(name, wafers=None if name == SILENT else 10) for name in (SHORT, OTHER, SILENT)}
    assert {name for name, each in changes.items() if read.takes(each)} == taken


def test_a_cleared_alert_is_told_where_its_raising_was_taken_and_an_entry_once(tmp_path: Path):
    outgoing, read = Outgoing(tmp_path / "out.db"), rules("sites: [north]")
    entries = [batch(1, change(SHORT), change(OTHER)), batch(2, change(SHORT, "cleared"), change(OTHER, "cleared"))]

    assert [outgoing.take([entry], read, MORNING) for entry in entries] == [1, 1]
    assert outgoing.entry == "1-2"
    titles = []
    while (message := outgoing.next_due(MORNING)) is not None:
        titles.append(message.title)
        outgoing.note_sent(message, MORNING)
    assert titles == ["Waferline: raised short within A north", "Waferline: cleared short within A north"]
    assert outgoing.take([batch(3, change(SHORT, "cleared"))], read, MORNING) == 0


def test_the_same_entry_makes_the_same_message(tmp_path: Path):
    one, other = (Outgoing(tmp_path / name) for name in ("1.db", "2.db"))
    for outgoing in (one, other):
        outgoing.take([batch(1, change(SHORT))], rules(""), MORNING)

    assert one.next_due(MORNING) == other.next_due(MORNING)
    assert one.next_due(MORNING).key == message_key("r0", "1-1-1")
    assert one.take([batch(1, change(SHORT))], rules(""), MORNING) == 0


def test_an_entry_of_a_stream_that_began_anew_makes_a_message_of_its_own(tmp_path: Path):
    outgoing, (entry, before) = Outgoing(tmp_path / "out.db"), batch(1, change(SHORT))
    anew = before.model_copy(update={"position": 9, "changes": [change(OTHER)]})

    assert [outgoing.take([(entry, each)], rules(""), MORNING) for each in (before, anew)] == [1, 1]


@pytest.mark.parametrize(
    "fault", [{"name": "short_within/A/north/soon"}, {"name": "red/A"}, {"subject": {"product": "A"}, "name": ""}]
)
def test_a_change_that_names_no_alert_is_refused_with_its_entry(fault):
    _, sent = batch(1, change(SHORT))
    [garbled] = [each.model_dump() | fault for each in sent.changes]
    assert AlertBatch.model_validate_json(sent.encode()) == sent

    with pytest.raises(ValueError, match=r"changes\.0"):
        AlertBatch.model_validate_json(json.dumps(sent.model_dump() | {"changes": [garbled]}))


def test_a_digest_is_one_message_a_day_of_all_since_the_last_one(tmp_path: Path):
    outgoing, read = Outgoing(tmp_path / "out.db"), rules("digest_at: '08:00'")
    outgoing.take([batch(1, change(SHORT)), batch(2, change(OTHER))], read, MORNING)

    made = [outgoing.digest(read, MORNING + hours * 3600) for hours in (0, 1, 2, 25)]
    assert made == [0, 1, 0, 0]  # nothing new: no message
    assert outgoing.next_due(MORNING + DAY_S).title == "Waferline: alerts 2 raised"
    outgoing.take([batch(3, change(SHORT, "cleared"))], read, MORNING)
    assert [outgoing.digest(read, MORNING + hours * 3600) for hours in (26, 49)] == [0, 1]


def test_the_hour_of_a_digest_is_of_its_zone(tmp_path: Path):
    outgoing, read = Outgoing(tmp_path / "out.db"), rules("digest_at: '06:00+09:00'")
    outgoing.take([batch(1, change(SHORT))], read, MORNING)

    made = [outgoing.digest(read, MORNING + hours * 3600) for hours in (13.9, 14, 15)]  # from 20:54 UTC on
    assert made == [0, 1, 0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[", "is no YAML"), ("x", "begins with"),
        ("targets: {}\nrules: [{name: a, to: [b]}]", "b, which is no target"),
        (MAIL + "rules: [{name: a, to: []}]", "rules.0.to"),
        (MAIL + "rules: [{name: a, to: [mail], codes: [red]}]", "rules.0.codes.0"),
        (MAIL + "rules: [{name: a, to: [mail], site: x}]", "rules.0.site"),
        ("targets: {mail: {}}\nrules: []", "one of url and url_file"),
        (MAIL + "rules: [{name: a, to: [mail]}, {name: a, to: [mail]}]", "two rules are named a"),
        (MAIL + "rules: [{name: a, to: [mail], digest_at: noon}]", "digest_at"),
        (MAIL + "rules: [{name: a, to: [mail], digest_at: 10:00}]", "write the hour as a text"),
    ],
)  # fmt: skip
def test_a_fault_in_the_file_is_named(text, reason):
    with pytest.raises(RulesError, match=reason):
        read_rules(text, "f")


def test_a_fault_shows_no_address(tmp_path: Path):
    address = "mailto://user:secret@x"
    with pytest.raises(RulesError) as why:
        read_rules(f"targets: {{mail: {{url: '{address}', url_file: y}}}}\nrules: []", "f")

    assert "secret" not in "".join(traceback.format_exception(why.value))
    with pytest.raises(RulesError, match="f, line 2: is no YAML: ") as why:
        read_rules(f"targets: {{mail: {{url: '{address}'}}\nrules: []", "f")

    assert "secret" not in str(why.value)


def test_the_file_of_an_address_lies_beside_the_rules(tmp_path: Path):
    (tmp_path / "rules.yaml").write_text("targets: {chat: {url_file: slack}}\nrules: [{name: a, to: [chat]}]")
    (tmp_path / "slack").write_text("slack://x\n")

    assert read_rules_file(tmp_path / "rules.yaml").targets["chat"].address() == "slack://x"
    with pytest.raises(RulesError, match=r"gone\.yaml cannot be read"):
        read_rules_file(tmp_path / "gone.yaml")


def test_a_message_that_is_always_refused_holds_up_no_other_of_its_target(tmp_path: Path):
    outgoing = Outgoing(tmp_path / "out.db")
    outgoing.take([batch(1, change(SHORT)), batch(2, change(OTHER))], rules(""), MORNING)
    refused = outgoing.next_due(MORNING)
    outgoing.begin_try(refused, MORNING + 5)
    outgoing.note_failed(refused, "too long", MORNING + 5)

    assert outgoing.next_due(MORNING + 5).title == "Waferline: raised short within B south"


def test_a_digest_has_a_change_once_and_sends_what_it_has_where_its_rule_loses_its_hour(tmp_path: Path):
    outgoing, read = Outgoing(tmp_path / "out.db"), rules("digest_at: '08:00'")
    entries = [batch(1, change(SHORT)), batch(2, change(OTHER))]
    outgoing.take(entries[:1], read, MORNING)
    assert outgoing.digest(read, MORNING + 3600) == 1

    outgoing.take(entries, read, MORNING)  # the stream is read again
    outgoing.take(entries, read, MORNING)

    assert [outgoing.digest(rules(""), MORNING + 7200) for _ in (1, 2)] == [1, 0]
    outgoing.note_sent(outgoing.next_due(MORNING + DAY_S), MORNING)
    assert outgoing.next_due(MORNING + DAY_S).title == "Waferline: raised short within B south"
