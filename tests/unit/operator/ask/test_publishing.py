"""Events of a file: lines, an array, JSON over several lines, with a byte order mark; and their cuts."""

import codecs
import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.operator.ask import publishing
from services.operator.ask.publishing import publish_events, read_events
from services.operator.stack.errors import StackError

VALUES = st.recursive(
    st.one_of(st.text(), st.integers(), st.booleans(), st.none()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.lists(st.dictionaries(st.text(max_size=5), VALUES, min_size=1, max_size=3), min_size=1, max_size=4)


@given(EVENTS, st.sampled_from([None, 1, 4]), st.booleans(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_every_form_of_a_file_gives_the_same_events(events, indent, as_array, encoding):
    written = [json.dumps(event, indent=indent, ensure_ascii=encoding == "utf-8") for event in events]
    text = json.dumps(events, indent=indent, ensure_ascii=encoding == "utf-8") if as_array else "\r\n".join(written)
    read = read_events(text.encode(encoding, errors="replace"))

    expected = [json.loads(line.encode(encoding, errors="replace").decode(encoding)) for line in written]
    assert [json.loads(line) for line in read if line.strip()] == expected


@pytest.mark.parametrize("body", [b'{"a": 1}\n{"a":', b'[{"a": 1}', b"\xff\xfe\x00", b"one\ntwo"])
def test_a_file_that_is_no_json_goes_to_the_party_line_by_line(body):
    assert len(read_events(body)) == len(body.decode(errors="replace").splitlines())


def test_the_text_of_an_event_stays_as_it_is():
    assert read_events(b'[{"a": 1.50, "a": 1e2}]') == [b'{"a": 1.50, "a": 1e2}']
    assert read_events(codecs.BOM_UTF8 + b'{"a": 1}\n\n{"b": 2}') == [b'{"a": 1}', b"", b'{"b": 2}']


class Party:
    """A party that takes a number of lines at once, and records them."""

    def __init__(self, most: int, refuses: int | None = None) -> None:
        self.most, self.refuses, self.taken = most, refuses, list[bytes]()

    def __call__(self, _: str, *, content: bytes, **__: Any) -> httpx.Response:
        lines = content.split(b"\n")
        if len(lines) > self.most:
            return httpx.Response(413, json={"detail": "too long"})
        if self.refuses is not None and len(self.taken) >= self.refuses:
            return httpx.Response(429, json={"detail": "too many wait"})
        self.taken += lines
        return httpx.Response(200, json=[{"line": n, "id": line.decode()} for n, line in enumerate(lines, 1)])


@given(st.integers(1, 40), st.integers(1, 12))
def test_what_is_too_large_is_cut_and_keeps_its_order_and_its_lines(count, most):
    party, events = Party(most), [b"%d" % n for n in range(1, count + 1)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publishing, "call", party)
        verdicts = publish_events("http://party", events)

    assert party.taken == events
    assert [(each["line"], each["id"]) for each in verdicts] == [(n, str(n)) for n in range(1, count + 1)]


def test_a_refusal_in_the_middle_says_how_many_were_taken(monkeypatch):
    monkeypatch.setattr(publishing, "call", Party(10_000, refuses=5_000))

    with pytest.raises(StackError, match=r"too many wait \(5,000 lines before were taken\)"):
        publish_events("http://party", [b"{}"] * 5_001)
