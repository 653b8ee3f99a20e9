"""The snapshot file is replaced whole, and only a ledger that holds the snapshot's last batch is gone on with."""

import asyncio
import os

import httpx
import pytest

from services.aggregator.fold.snapshot import Unusable, encode
from services.aggregator.fold.state import FoldState
from services.aggregator.live.snapshots import SnapshotFile, check_against_ledger
from shared.http.peers import Caller
from shared.process.credentials import CredentialsError
from testing.twins.curves import batch_of
from tests.unit.aggregator.fold.test_curves import fold
from tests.unit.aggregator.fold.test_snapshot import LOG, restore

# ---------------------------------------------------------------- the file


def test_a_file_is_written_whole_in_the_place_of_the_last_one(tmp_path):
    file, curves = SnapshotFile(tmp_path / "kept"), fold(LOG)
    with pytest.raises(Unusable) as why:
        file.read()
    assert why.value.code == "missing"
    (tmp_path / "kept.part").write_bytes(b"torn by a kill")

    size = file.write(encode(FoldState(curves)), (7, 1))

    assert size == len(file.read())
    assert restore(file.read()).state_hash() == curves.state_hash()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_an_older_snapshot_that_comes_late_is_left_out(tmp_path):
    file = SnapshotFile(tmp_path / "kept")
    file.write([b"new"], (7, 9))

    assert file.write([b"old"], (7, 8)) == 0
    assert file.read().startswith(b"new")
    assert file.write([b"another store"], (8, 1)) > 0


def test_a_snapshot_that_cannot_be_written_leaves_the_last_one(tmp_path, monkeypatch):
    file = SnapshotFile(tmp_path / "kept")
    file.write([b"first"], (7, 1))

    def fail(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        file.write([b"second"], (7, 2))
    assert file.read().startswith(b"first")


# ---------------------------------------------------------------- the ledger


@pytest.mark.parametrize(
    ("held", "code"),
    [
        (batch_of(1, LOG), None),
        (batch_of(1, LOG, epoch=8), "foreign_ledger"),
        (batch_of(1, LOG).model_copy(update={"head": "other"}), "foreign_ledger"),
        (None, "ahead_of_ledger"),
        (500, "ledger_missed"),
    ],
)
def test_only_a_ledger_that_holds_its_last_batch_is_gone_on_with(held, code, monkeypatch):
    def answer(request):
        assert dict(request.url.params) == {"after": "0", "limit": "1"}
        if isinstance(held, int):
            return httpx.Response(held)
        return httpx.Response(200, content=b"" if held is None else held.encode() + b"\n")

    client = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", lambda **o: client(transport=httpx.MockTransport(answer), **o))
    found = None
    try:
        asyncio.run(check_against_ledger(fold(LOG), "http://ledger", deadline_s=0.2))
    except Unusable as why:
        found = why.code

    assert found == code


def test_a_ledger_that_does_not_let_us_in_is_told_at_once_and_nothing_is_folded_anew(monkeypatch):
    client, sent = httpx.AsyncClient, []

    def answer(request):
        sent.append(request.headers["Authorization"])
        return httpx.Response(403, json={"detail": "the token of planner lacks the scope audit"})

    monkeypatch.setattr(httpx, "AsyncClient", lambda **o: client(transport=httpx.MockTransport(answer), **o))

    with pytest.raises(
        CredentialsError, match="the ledger at http://ledger refuses: the token of planner lacks the scope"
    ):
        asyncio.run(
            check_against_ledger(fold(LOG), "http://ledger", Caller({"Authorization": "Bearer planner"}, verify=True))
        )

    assert sent == ["Bearer planner"]
