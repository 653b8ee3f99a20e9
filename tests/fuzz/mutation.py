"""Mutations that know the form of an input: most random bytes are refused at their first character."""

import json
import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

Mutate = Callable[[bytes, random.Random], bytes]

TOKENS = (
    "NaN", "Infinity", "-Infinity", "1e400", "-0", "0.0", "25.0", "2e1", "9" * 41, "9" * 5000, "1" + "0" * 18, "01",
    '"\\ud800"', '"\\u0000"', '"\\u2028"', '"\\ud83d\\ude00"', "[" * 9 + "]" * 9, '{"a":' * 8 + "1" + "}" * 8,
    "[" * 3000 + "]" * 3000, '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', "'x'", "tru", "",
)  # fmt: skip
"""Texts that JSON has, or has not, in place of a value."""
VALUES = (
    None, True, False, 0, 1, -1, 25, 26, 10**6 + 1, 2**31, 2**53, 2**63, 2**64, -(2**63) - 1, 10**12, 10**18, 1.5,
    20605,
    1_772_323_200_000_000, 946_684_799_999_999, 4_133_980_800_000_000, "", " ", "\n", "x" * 65, "x" * 10_000, "-x",
    "münchen", "samsung", "skhynix", "stargate-americas", "abilene", "HBM4-12H", "HBM9", "unattributed", "unallocated",
    "lot.started", "event.reversed", "source.advanced", "source.ended", "shipment.received", "stock.counted",
    "demand.required", "waferline.lot.started.v1", "waferline.lot.started.v2", "waferline.stock.opened.v1", "firm",
    "2026-02-29", "2026-02-30", "1999-12-31", "2101-01-01", "2026-03-01T00:00:60Z", "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59", "2026-03-01t00:00:00.1234567z", "{}", "[]", "null", '{"fab":"P4"}', ' {"fab" : "P4"}',
    '{"fab":"P4","fab":"P4"}', '{"reversed":"x","reason":""}', "019c0000-0000-7000-8000-000000000000", "1", "01",
    "999999999999999999", [], {}, [[]], [None], {"a": 1},
)  # fmt: skip
NAMES = (
    "id", "ids", "source", "type", "types", "time", "times", "sequence", "data", "specversion", "recorded", "rests",
    "recordedtime", "lines", "days", "wafers", "revisions", "products", "sites", "suppliers", "causes", "correlations",
    "subject", "partitionkey", "causationid", "correlationid", "datacontenttype", "lots", "reversed", "x", "\ud800", "",
)  # fmt: skip
_HOLE = "<hole {}>"


def mutate_bytes(data: bytes, dice: random.Random) -> bytes:
    """Change some bytes, in no way that a form knows."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        at = dice.randint(0, len(changed))
        match dice.randrange(4):
            case 0:
                changed[at:at] = dice.randbytes(dice.randint(1, 4))
            case 1:
                del changed[at : at + dice.randint(1, 8)]
            case 2:
                changed[at : at + 1] = bytes([dice.choice(b'{}[]",:\\0 9-\n\r\xff\xed\xc0')])
            case _:
                begin = dice.randint(0, len(changed))
                changed[at:at] = changed[begin : begin + dice.randint(1, 64)]
    return bytes(changed)


def mutate_json(data: bytes, dice: random.Random) -> bytes:
    """Change some values or names of a JSON document."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return mutate_bytes(data, dice)
    tokens: list[str] = []
    box = [document]
    try:
        for _ in range(dice.randint(1, 3)):
            _change(box, dice, tokens)
        text = json.dumps(
            box[0],
            ensure_ascii=dice.random() < 0.7,
            separators=(",", ":") if dice.random() < 0.7 else None,
            indent=1 if dice.random() < 0.05 else None,
        )
    except (ValueError, RecursionError):
        return mutate_bytes(data, dice)
    for n, token in enumerate(tokens):
        text = text.replace(json.dumps(_HOLE.format(n)), token, 1)
    return text.encode("utf-8", "surrogatepass")


def _change(box: list[Any], dice: random.Random, tokens: list[str]) -> None:
    """Change one place in a document, each level with the same chance."""
    place: Any = box
    index: Any = 0
    while isinstance(place[index], dict | list) and place[index] and dice.random() < 0.8:
        place = place[index]
        index = dice.choice(list(place)) if isinstance(place, dict) else dice.randrange(len(place))
    inner = place[index]
    if isinstance(inner, str) and inner[:1] == "{" and dice.random() < 0.7:  # a rest is JSON in a text
        place[index] = mutate_json(inner.encode("utf-8", "surrogatepass"), dice).decode("utf-8", "replace")
        return
    match dice.randrange(9):
        case 0 | 1:
            place[index] = deepcopy(dice.choice(VALUES))
        case 2:
            tokens.append(dice.choice(TOKENS))
            place[index] = _HOLE.format(len(tokens) - 1)
        case 3 if place is not box:
            del place[index]
        case 4 if isinstance(place, dict):
            place[dice.choice(NAMES)] = deepcopy(dice.choice([inner, *VALUES]))
        case 4 | 5 if isinstance(place, list) and place is not box:
            place.insert(index, deepcopy(dice.choice([inner, *VALUES])))
        case 5 if isinstance(place, dict):  # the name a second time, written otherwise
            tokens.append(f"{json.dumps(place[index], default=str)},{json.dumps(index)}:1")
            place[index] = _HOLE.format(len(tokens) - 1)
        case 6 if isinstance(inner, int) and not isinstance(inner, bool):
            place[index] = inner + dice.choice([-1, 1, 86_400_000_000, -(10**6)])
        case 6 if isinstance(inner, str) and inner:
            at = dice.randrange(len(inner))
            place[index] = (
                inner[:at] + dice.choice(["", "\0", "\n", "é", "\ud800", "٣", "0", "-", inner]) + inner[at + 1 :]
            )
        case 7 if isinstance(inner, list) and inner:
            place[index] = [deepcopy(each) for each in inner * dice.choice([2, 3, 40])]
        case _:
            other = deepcopy(dice.choice(list(place.values()) if isinstance(place, dict) else place))
            place[index] = dice.choice([other, [other], {"a": other}])


def mutate_lines(mutate_line: Mutate, spare: Sequence[bytes]) -> Mutate:
    """Return a mutation of a text of lines."""

    def mutate(data: bytes, dice: random.Random) -> bytes:
        lines = data.split(b"\n")
        at = dice.randrange(len(lines))
        match dice.randrange(8):
            case 0 | 1 | 2:
                lines[at] = mutate_line(lines[at], dice)
            case 3:
                lines.insert(at, dice.choice(spare))
            case 4:
                lines.insert(at, dice.choice([b"", b" ", b"\r", lines[at]]))
            case 5:
                del lines[at]
            case 6:
                other = dice.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                return mutate_bytes(data, dice)
        return b"\n".join(lines)

    return mutate
