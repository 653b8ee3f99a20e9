"""The ledger and its file of checkpoints: when it signs, and when it refuses to start."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.ledger.app import build_app
from services.ledger.checkpoint.files import make_key, newest_checkpoint, read_signer
from services.ledger.checkpoint.notes import checkpoint_of
from services.ledger.settings import LedgerSettings
from services.ledger.store.writer import StoreWriter, open_writer
from services.operator.cli import app
from services.operator.record.proof import Proof, verify
from shared.play.numbering import Numbering
from shared.service.service import Service
from shared.wire.events import StockOpened
from testing.fold import Folded, fold, record

NUMBERING = Numbering("abilene")


def open_ledger(folder: Path, checkpoints: Path | None = None) -> Service:
    return build_app(
        LedgerSettings(
            ledger_store=str(folder / "ledger.db"),
            checkpoint_key=folder / "ledger.key",
            checkpoints=checkpoints or folder / "checkpoints.txt",
        )
    )


def end(service: Service) -> None:
    for last in service.at_end:
        last()


def opened() -> StockOpened:
    return StockOpened(product="HBM4-12H", site="abilene", supplier="samsung", wafers=5)


def fill(folder: Path, batches: int = 1) -> Folded:
    events = [NUMBERING.emit(datetime(2026, 3, 1, tzinfo=UTC), opened()) for _ in range(batches)]
    return fold(events, batches=1, path=folder / "ledger.db")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_key(tmp_path / "ledger.key", "waferline-ledger")
    return tmp_path


def test_an_empty_store_is_not_signed_and_stops_nothing(folder: Path) -> None:
    end(open_ledger(folder))
    end(open_ledger(folder))

    verifier = read_signer(folder / "ledger.key").verifier
    assert newest_checkpoint(folder / "checkpoints.txt", verifier) is None


def test_the_folder_of_the_checkpoints_is_made_at_the_start(folder: Path) -> None:
    fill(folder).store.close()
    end(open_ledger(folder, folder / "elsewhere" / "checkpoints.txt"))

    verifier = read_signer(folder / "ledger.key").verifier
    newest = newest_checkpoint(folder / "elsewhere" / "checkpoints.txt", verifier)
    assert newest is not None
    assert newest.batch == 1


def test_a_new_store_beside_the_checkpoints_of_another_is_refused_and_told_what_to_do(folder: Path) -> None:
    fill(folder).store.close()
    end(open_ledger(folder))
    (folder / "ledger.db").unlink()

    with pytest.raises(RuntimeError, match=r"another store .* Put it back, or, .* move .*checkpoints.txt away"):
        open_ledger(folder)

    (folder / "checkpoints.txt").rename(folder / "old.txt")
    end(open_ledger(folder))


def test_a_ledger_that_another_one_has_overtaken_still_knows_what_it_has_seen(folder: Path) -> None:
    filled = fill(folder, 2)
    overtaken = open_writer(folder / "ledger.db")
    record(filled, [NUMBERING.emit(datetime(2026, 3, 2, tzinfo=UTC), opened()) for _ in range(2)], batches=1)

    assert checkpoint_of(overtaken).batch == 2


def test_a_checkpoint_that_is_signed_while_a_store_is_verified_is_no_cut_tail(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = fill(folder, 2)
    end(open_ledger(folder))

    def prove_slowly(store: StoreWriter, advance: Callable[[int], None]) -> Proof:
        record(filled, [NUMBERING.emit(datetime(2026, 3, 2, tzinfo=UTC), opened())], batches=1)
        end(open_ledger(folder))
        return verify(store, advance)

    monkeypatch.setattr("services.operator.record.proof.verify", prove_slowly)
    verified = CliRunner().invoke(app, ["verify", "--data", str(folder)])

    assert verified.exit_code == 0, verified.output
    assert "the last one of batch 2" in verified.output
