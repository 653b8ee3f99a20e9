"""Is docs/proof.md true: its table, its example, and its verifier?"""

import json
import re
import shutil
import subprocess
import sys
from base64 import b64encode
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from services.ledger.checkpoint.keys import Signer
from services.ledger.checkpoint.notes import Checkpoint, sign_checkpoint
from services.ledger.store.recording import record_entries
from services.ledger.store.writer import open_writer
from services.operator.contracts.documents import PROOF_PAGE
from services.operator.contracts.examples import example_events
from services.operator.contracts.layouts_table import proof_page
from services.operator.record.exports import export
from shared.wire.batch import EventBatch
from shared.wire.days import microseconds
from shared.wire.events import canonical
from shared.wire.rows import Row
from testing.fold import fold
from testing.simulate import simulate

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / PROOF_PAGE).read_text(encoding="utf-8")
SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")  # RFC 8032, 7.1, the first
SIGNER = Signer("waferline.example/ledger", Ed25519PrivateKey.from_private_bytes(SECRET))
NOW = microseconds(datetime(2026, 3, 2, 7, tzinfo=UTC))

needs_sh = pytest.mark.skipif(
    not all(map(shutil.which, ("sh", "awk", "sed", "sha256sum"))), reason="needs awk and coreutils"
)
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl 3")


def blocks(language: str) -> list[str]:
    """The code blocks of the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The export of the store that the page shows: two batches, one refusal."""
    store = open_writer(":memory:", epoch=7)
    events = example_events()
    started, scrapped, finished = (events[name] for name in ("lot.started", "lot.scrapped", "lot.finished"))
    wrong = events["shipment.lost"].cloud_event()
    wrong["data"]["wafers"] = 0
    bodies = [EventBatch.of([started, scrapped]).encode(), canonical(wrong)]
    for number, entries in enumerate((bodies, [canonical(finished.cloud_event())]), 1):
        numbered = [(f"{number}-{n}", body) for n, body in enumerate(entries)]
        record_entries(
            store,
            f"wafers:{{0}}:supply:{started.source}",
            started.source,
            "supplier",
            numbered,
            now=NOW + number * 1_000_000,
        )
    file = tmp_path_factory.mktemp("example") / "ledger.jsonl"
    export(store, "jsonl", file)
    return file.read_bytes()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of a store that played some days."""
    folder = tmp_path_factory.mktemp("real")
    store = fold([e for _, day in simulate("announced_sites_only", date(2026, 1, 12)) for e in day]).store
    export(store, "jsonl", folder / "ledger.jsonl")
    return folder / "ledger.jsonl"


def documents_of(export: bytes) -> list[bytes]:
    return re.findall(rb"\{[^\n]*\n(?:\[[^\n]*\n)*", export)


def checkpoint_of(export: bytes) -> Checkpoint:
    documents = documents_of(export)
    header = json.loads(documents[-1].split(b"\n")[0])
    events = sum(json.loads(document.split(b"\n")[0])["events"] for document in documents)
    return Checkpoint(
        header["epoch"], header["batch"], sha256(documents[-1]).digest(), events, header["recorded"], None
    )


# ---------------------------------------------------------------- what is shown


def test_the_table_is_as_the_code_says() -> None:
    assert proof_page(PAGE) == PAGE, "run `make contracts`: the layout of an event has changed"


def test_the_example_is_what_a_store_exports(example: bytes) -> None:
    shown = blocks("json")

    assert shown[0].encode() == canonical_of("lot.started") + b"\n"
    assert shown[1].encode() == example


def test_the_heads_of_the_example_are_as_shown(example: bytes) -> None:
    for document in documents_of(example):
        assert f"`{sha256(document).hexdigest()}`" in PAGE
    assert f"`{sha256(canonical_of('lot.started')).hexdigest()}`" in PAGE


def test_the_checkpoint_of_the_example_is_as_shown(example: bytes) -> None:
    note = sign_checkpoint(checkpoint_of(example), SIGNER)

    assert note in blocks("text")
    assert f"{SIGNER.verifier}\n" in blocks("text")


def canonical_of(name: str) -> bytes:
    """The canonical bytes of an example, written down once more, without the store."""
    row = Row.of(example_events()[name])
    rest = None if row.rest is None else json.dumps(json.loads(row.rest), separators=(",", ":"), sort_keys=True)
    return json.dumps([*row[:12], rest, *row[13:]], separators=(",", ":")).encode()


# ---------------------------------------------------------------- the verifier


def verify(folder: Path, export: bytes, *checkpoint: str) -> str:
    """The result of the page's verifier for an export."""
    (verifier,) = blocks("python")
    assert len(verifier.splitlines()) <= 30
    (folder / "verify.py").write_text(verifier)
    (folder / "export").write_bytes(export)
    command = [sys.executable, "-I", str(folder / "verify.py"), str(folder / "export"), *checkpoint]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode == 0) == ran.stdout.startswith("proved"), ran.stderr
    return ran.stdout or ran.stderr


def test_the_verifier_proves_a_real_export(real: Path, tmp_path: Path) -> None:
    data = real.read_bytes()
    last = checkpoint_of(data)
    first = documents_of(data)[0]
    result = verify(tmp_path, data, str(last.batch), b64encode(last.head).decode())

    assert result == f"proved: {last.events} events in {last.batch} batches, head {last.head.hex()}\n"
    assert verify(tmp_path, data) == result
    assert verify(tmp_path, data, "1", b64encode(sha256(first).digest()).decode()) == result


def test_the_verifier_finds_what_was_done_to_an_export(real: Path, tmp_path: Path) -> None:
    data = real.read_bytes()
    documents = documents_of(data)
    fourth = documents[3]
    lines = fourth.splitlines(keepends=True)
    assert len(lines) > 3
    fewer = lines[0].replace(b'"events":%d' % (len(lines) - 1), b'"events":%d' % (len(lines) - 2))
    changes = {
        "edited": fourth.replace(b"wafers", b"wafer").replace(b'",2', b'",3', 1),
        "deleted": fewer + b"".join(lines[2:]),
        "lost": b"".join(lines[:-1]),
        "swapped": lines[0] + lines[2] + lines[1] + b"".join(lines[3:]),
        "spelled otherwise": fourth.replace(b",null", b", null", 1),
        "missing": b"",
        "twice": fourth + fourth,
    }

    for change, document in changes.items():
        assert document != fourth, change
        assert verify(tmp_path, data.replace(fourth, document)).startswith(
            ("NOT proved: batch 4: ", "NOT proved: batch 5: ")
        ), change
    assert verify(tmp_path, data[:-9]).startswith(f"NOT proved: batch {len(documents)}: ")
    assert verify(tmp_path, documents[0] + b"nonsense\n").startswith("NOT proved: batch 2: ")


def test_only_a_checkpoint_finds_a_tail_that_was_cut_or_hashed_anew(real: Path, tmp_path: Path) -> None:
    data = real.read_bytes()
    last = checkpoint_of(data)
    kept = (str(last.batch), b64encode(last.head).decode())
    documents = documents_of(data)
    cut = b"".join(documents[:-1])
    forged = cut + documents[-1].replace(b'"recorded":4', b'"recorded":3', 1)
    assert forged != data

    assert verify(tmp_path, cut).startswith("proved")
    assert verify(tmp_path, forged).startswith("proved")
    assert verify(tmp_path, cut, *kept).startswith("NOT proved: ")
    assert verify(tmp_path, forged, *kept).startswith("NOT proved: ")


# ---------------------------------------------------------------- the shell


@needs_sh
def test_two_lines_of_shell_prove_a_batch(real: Path) -> None:
    shell = next(block for block in blocks("sh") if "sha256sum" in block)
    command = ["sh", "-c", shell]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=real.parent, timeout=60, check=True)
    hashed, named = (line.split()[0] for line in ran.stdout.splitlines())

    assert hashed == named == sha256(documents_of(real.read_bytes())[2]).hexdigest()


@needs_openssl
def test_openssl_verifies_a_checkpoint(example: bytes, tmp_path: Path) -> None:
    shell = next(block for block in blocks("sh") if "openssl" in block)
    note = sign_checkpoint(checkpoint_of(example), SIGNER)
    (tmp_path / "key.pub").write_text(f"{SIGNER.verifier}\n")

    def run() -> str:
        command = ["sh", "-c", shell]
        ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
        return ran.stdout + ran.stderr

    (tmp_path / "note").write_text(note)
    assert "Signature Verified Successfully" in run()
    (tmp_path / "note").write_text(note.replace("events 3", "events 4"))
    assert "Signature Verification Failure" in run()
