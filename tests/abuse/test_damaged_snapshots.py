"""The aggregator's snapshot cut, changed, of another version or programme: it is refused, and all is folded anew."""

import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from services.operator.ask.client import ask
from services.operator.stack.stack import started
from shared.play.numbering import Numbering
from tests.abuse.damaged import hand_in, small
from tests.e2e.test_mishaps import is_folded, said_by, until

SEAL = 32
Damage = Callable[[bytes], bytes]


def changed(text: bytes, other: bytes) -> Damage:
    """Return a change of the header, sealed again, as another version or programme would have written it."""

    def change(content: bytes) -> bytes:
        written = re.sub(text, other, content[:-SEAL], count=1)
        assert written != content[:-SEAL]
        return written + sha256(written).digest()

    return change


DAMAGES: dict[str, tuple[Damage, str]] = {
    "cut": (lambda content: content[: len(content) // 2], "damaged"),
    "a bit of its middle": (lambda content: content[:600] + bytes([content[600] ^ 1]) + content[601:], "damaged"),
    "another version": (changed(rb'"format":\d', b'"format":9'), "foreign_format"),
    "another programme": (changed(rb'"catalogue":"\w{4}', b'"catalogue":"0000'), "foreign_catalogue"),
    "another store": (changed(rb'"head":"\w{4}', b'"head":"0000'), "foreign_ledger"),
}


def test_a_damaged_or_foreign_snapshot_is_refused_and_costs_only_time(tmp_path: Path) -> None:
    folder = tmp_path / "stack"
    seen = {}
    with started(small(folder)) as stack:
        hand_in(stack, Numbering("samsung"), 3)
        until("it is folded", lambda: is_folded(stack))
        expected = ask(folder, "aggregator", "/state")["state_hash"]
        stack.processes["aggregator"].terminate()  # it writes a snapshot
        stack.processes["aggregator"].wait()
        whole = (folder / "aggregator.snapshot").read_bytes()
        for name, (damage, _) in DAMAGES.items():
            (folder / "aggregator.snapshot").write_bytes(damage(whole))
            before = len(said_by(stack, "aggregator", "snapshot_refused"))
            stack.start_service("aggregator")
            until("it is folded again", lambda: stack.is_up("aggregator") and is_folded(stack))
            refused = said_by(stack, "aggregator", "snapshot_refused")[before:]
            seen[name] = [line["code"] for line in refused], ask(folder, "aggregator", "/state")["state_hash"]
            stack.kill("aggregator")
        (folder / "aggregator.snapshot").unlink()
        (folder / "aggregator.snapshot").mkdir()
        stack.start_service("aggregator")
        until("it is folded again", lambda: stack.is_up("aggregator") and is_folded(stack))
        last = said_by(stack, "aggregator", "snapshot_refused")[-1]["code"]
        stack.stop()

    assert seen == {name: ([code], expected) for name, (_, code) in DAMAGES.items()}
    assert last == "unreadable"
