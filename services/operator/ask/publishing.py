"""Events of a file and watermarks, and their publication at a party in bodies that are small enough."""

import codecs
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import httpx

from services.operator.stack.calls import call
from services.operator.stack.errors import StackError
from services.operator.stack.location import service_url
from shared.wire.events import PREFIX, VERSION

_PUBLISHED_WITHIN_S = 30.0  # a party answers after ten seconds at the latest, with a verdict or without
_BODY_BYTES = 7 << 17  # a service takes 1 MiB by default, and 5,000 lines
_BODY_LINES = 5_000
_BLANKS = " \t\r\n"
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def read_events(body: bytes) -> list[bytes]:
    """Return the events of a file, one a line: of lines, of an array, or of JSON over several lines, with or without
    a byte order mark.

    The text of each event stays as it is, but for line feeds between its tokens. A file that is none of these is
    returned line by line: the party says which line is wrong.
    """
    encoding = next((name for mark, name in _MARKS.items() if body.startswith(mark)), None)
    if encoding is not None:
        body = body.decode(encoding, errors="replace").encode()
    lines = body.splitlines()
    written = [line.strip() for line in lines if line.strip()]
    if all(line.startswith(b"{") and line.endswith(b"}") for line in written):
        return lines
    try:
        return [text.replace("\r", " ").replace("\n", " ").encode() for text in _split(body.decode())]
    except ValueError:  # UnicodeDecodeError, too
        return lines


def _split(text: str) -> Iterator[str]:
    """Yield the text of each object of a sequence of JSON values, and of the elements of an array among them."""
    decoder, at, in_array = json.JSONDecoder(), 0, False
    while True:
        while at < len(text) and text[at] in _BLANKS + ("," if in_array else ""):
            at += 1
        if at == len(text):
            if in_array:
                raise ValueError("the array does not end")
            return
        if text[at] in "[]" and in_array == (text[at] == "]"):
            in_array = text[at] == "["
            at += 1
            continue
        _, end = decoder.raw_decode(text, at)
        yield text[at:end]
        at = end


def publish_events(
    url: str, events: Sequence[bytes], advance: Callable[[int], None] = lambda _: None
) -> list[dict[str, Any]]:
    """Return the verdict on each event; raise `StackError` with the number of those taken before one was refused.

    A list that is too large for one body is cut.
    """
    verdicts: list[dict[str, Any]] = []
    for begin, end in _cut(events):
        try:
            found = _publish(url, events[begin:end])
        except StackError as why:
            raise StackError(f"{why} ({begin:,} lines before were taken)" if begin else str(why)) from why
        verdicts += [verdict | {"line": verdict["line"] + begin} for verdict in found]
        advance(end - begin)
    return verdicts


def advance_sources(facts: Mapping[str, Any], services: Sequence[str], through: date) -> list[dict[str, Any]]:
    """Return the verdict on the watermark of each party: its source has published everything through a day."""
    rows: list[dict[str, Any]] = []
    for service in services:
        source = service.partition("-")[2]
        event = {
            "specversion": "1.0", "source": source, "type": f"{PREFIX}source.advanced{VERSION}",
            "time": datetime.now(UTC).isoformat(), "data": {"through": through.isoformat()},
        }  # fmt: skip
        try:
            [verdict] = publish_events(service_url(facts, service), [json.dumps(event).encode()])
        except httpx.TransportError as failure:
            raise StackError(
                f"{service} does not answer ({failure}); {len(rows)} parties before it have answered"
            ) from failure
        rows.append({"source": source, "through": through.isoformat()} | verdict)
    return rows


def _cut(events: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Yield the begin and the end of each body, one for no event."""
    begin, size = 0, 0
    for n, event in enumerate(events):
        if n > begin and (size + len(event) + 1 > _BODY_BYTES or n - begin == _BODY_LINES):
            yield begin, n
            begin, size = n, 0
        size += len(event) + 1
    yield begin, len(events)


def _publish(url: str, events: Sequence[bytes]) -> list[dict[str, Any]]:
    """Return the answer to one body, or to its halves where the party takes less at once."""
    response = call(url + "/events", method="POST", content=b"\n".join(events), within_s=_PUBLISHED_WITHIN_S)
    if response.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE and len(events) > 1:
        middle = len(events) // 2
        first = _publish(url, events[:middle])  # in their order: a later revision comes later
        return first + [each | {"line": each["line"] + middle} for each in _publish(url, events[middle:])]
    if response.status_code >= httpx.codes.BAD_REQUEST:
        raise StackError(response.json()["detail"])
    verdicts: list[dict[str, Any]] = response.json()
    return verdicts
