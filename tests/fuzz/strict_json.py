"""The oracle of `parse_strictly`: the standard library's parser, and rules of our own written a second time."""

import json
import random
from typing import Any, get_args

import orjson

from shared.wire.events import NESTING_MAX, ReasonCode, Refused, named_source, parse_strictly
from testing.bad_events import BAD_ENTRIES, BAD_EVENTS, good_columns, good_events
from tests.fuzz.mutation import mutate_bytes, mutate_json

CODES = frozenset(get_args(ReasonCode))
_DIGITS_MAX = 40  # of a whole number: what comes behind is cut off, as every field is out of its bounds by then
_LENGTH_MAX = 4096


class _Pairs(list[tuple[str, Any]]):
    """An object as it is written, a name that occurs twice included."""


def seeds() -> list[bytes]:
    """Return a good event, a good batch, and each way of being wrong."""
    bodies = [json.dumps(good_events()[0].cloud_event()).encode(), json.dumps(good_columns()).encode()]
    bodies += [bad.cloud_event() for bad in BAD_EVENTS] + [bad.body for bad in BAD_ENTRIES]
    small = [b"{}", b"[]", b'{"a":1,"a":2}', b'{"a":{"b":[{"c":1.5e3}]}}', b'{"a":NaN,"b":-0,"c":"\\ud800"}', b'"x"']
    return small + [body for body in bodies if len(body) <= _LENGTH_MAX]


def mutate(data: bytes, dice: random.Random) -> bytes:
    """Change a document, mostly in its form."""
    return mutate_bytes(data, dice) if dice.random() < 0.3 else mutate_json(data, dice)


def check(data: bytes) -> str:
    """Compare both parsers, and the rules that only ours has."""
    named_source(data)
    code, value = _ours(data)
    try:
        text = data.decode()
        reference: Any = json.loads(text, object_pairs_hook=_Pairs, parse_int=lambda digits: int(digits[:_DIGITS_MAX]))
    except (ValueError, RecursionError):
        assert code == "malformed", (code, "and json.loads refuses it")
        return "refused"
    assert (code, repr(value)) == (_ours(text)[0], repr(_ours(text)[1])), "a text and its bytes differ"
    if not isinstance(reference, _Pairs):
        assert code == "malformed", code
        return "no object"
    depth, twice = _shape(reference)
    deep = depth > NESTING_MAX
    if deep or twice:
        assert (code == "malformed" and deep) or (code == "duplicate_key" and twice), (code, deep, twice)
        return "deep" if deep else "twice"
    assert code is None, code
    assert repr(value) == repr(_plain(reference)), "it reads otherwise"
    try:
        quick = orjson.loads(data)
    except ValueError:
        return "read, but not by orjson"
    assert _same(quick, value), "orjson reads otherwise"
    return "read"


def _ours(body: bytes | str) -> tuple[str | None, Any]:
    try:
        return None, parse_strictly(body)
    except Refused as why:
        assert why.code in CODES
        assert (why.path + why.message).isprintable()
        assert len(why.path) <= 2_000
        return why.code, None


def _shape(value: Any) -> tuple[int, bool]:
    """Return how deeply a document is nested, and whether an object of it has a name twice."""
    depth, twice, level = 0, False, [value]
    while level := [each for each in level if isinstance(each, list)]:
        depth += 1
        twice = twice or any(isinstance(each, _Pairs) and len({n for n, _ in each}) < len(each) for each in level)
        level = [inner for each in level for inner in ([v for _, v in each] if isinstance(each, _Pairs) else each)]
    return depth, twice


def _plain(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return {name: _plain(each) for name, each in value}
    return [_plain(each) for each in value] if isinstance(value, list) else value


def _same(quick: Any, value: Any) -> bool:
    """Return whether orjson reads the same; a whole number beyond 64 bits is a float to it."""
    if isinstance(quick, dict) and isinstance(value, dict):
        return quick.keys() == value.keys() and all(_same(quick[name], value[name]) for name in quick)
    if isinstance(quick, list) and isinstance(value, list):
        return len(quick) == len(value) and all(map(_same, quick, value))
    if isinstance(quick, float) and isinstance(value, int):
        return not -(2**63) <= value < 2**64
    return type(quick) is type(value) and quick == value
