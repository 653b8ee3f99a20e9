"""What is done to what is said and to what is stored: said again, said otherwise, altered, cut off, put back."""

import json
import random
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import orjson

from services.ledger.store.reader import open_reader
from services.operator.record.checkpoints import find_contradiction, kept_checkpoints
from services.operator.record.proof import verify
from testing.forging import seal_again
from tests.chaos.faults import Fault, Tried, _is_recorded
from tests.chaos.rig import Broken, Rig, wait


def say_again(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Say events twice to ten times, and some of them otherwise under the same id."""
    source, times, conflicts = "samsung", 0, 0
    before = _counted(rig, source)
    for n in range(max(3, kills)):
        event = next(rig.voice(source))
        rig.say(event)
        for _ in range(chance.randint(1, 9)):
            rig.say(event)
            times += 1
        if n % 3 == 0:
            other = event.model_copy(update={"time": event.time + timedelta(seconds=1)})
            rig.write(source, orjson.dumps(other.cloud_event()))
            conflicts += 1
        rig.advance(f"said again: {n + 1}")
    wait("the last one is recorded", lambda: _is_recorded(rig, event))
    due = Counter({"duplicates": times, "identity_conflict": conflicts})
    wait(f"{due} are counted", lambda: _counted(rig, source) - before == due, 30)
    told = rig.logged("ledger", "event_refused", "identity_conflict")
    return Tried(
        "events said again, ×2 to ×10, and under the same id with other content",
        times + conflicts,
        f"{times} duplicates dropped and counted, {conflicts} conflicts refused, {told} told in the log",
    )


def _counted(rig: Rig, source: str) -> Counter[str]:
    """Return how many duplicates and conflicts of a source the ledger has met, by its store: it outlives a restart."""
    with closing(open_reader(rig.stack.files.ledger_store)) as store:
        counted = Counter(
            {"duplicates": sum(b.header.duplicates for b in store.batches() if b.header.source == source)}
        )
        counted.update(r.code for r in store.refusals() if r.source == source and r.code == "identity_conflict")
    return counted


# ---------------------------------------------------------------- the store altered


def _edit(store: sqlite3.Connection, chance: random.Random, seq: int, _: int) -> None:
    [body] = store.execute("SELECT body FROM events WHERE seq = ?", (seq,)).fetchone()
    event = json.loads(body)
    event[4] += chance.randint(1, 10**9)
    store.execute("UPDATE events SET body = ? WHERE seq = ?", (json.dumps(event, separators=(",", ":")), seq))


def _delete(store: sqlite3.Connection, _: random.Random, seq: int, __: int) -> None:
    store.execute("DELETE FROM events WHERE seq = ?", (seq,))


def _swap(store: sqlite3.Connection, _: random.Random, seq: int, __: int) -> None:
    store.execute("UPDATE events SET seq = -seq WHERE seq IN (?, ?)", (seq, seq + 1))
    store.execute("UPDATE events SET seq = 2 * ? + 1 + seq WHERE seq < 0", (seq,))


def _post(store: sqlite3.Connection, chance: random.Random, _: int, __: int) -> None:
    [last] = store.execute("SELECT max(seq) FROM postings").fetchone()
    store.execute("UPDATE postings SET wafers = wafers + 1 WHERE seq = ?", (chance.randint(1, last),))


def _seal_again(store: sqlite3.Connection, chance: random.Random, seq: int, _: int) -> None:
    _edit(store, chance, seq, 0)
    store.commit()
    [path] = [path for _, name, path in store.execute("PRAGMA database_list") if name == "main"]
    seal_again(Path(path), 1)


def _cut(store: sqlite3.Connection, _: random.Random, __: int, last: int) -> None:
    store.execute("DELETE FROM events WHERE seq >= (SELECT first_event FROM batches WHERE batch = ?)", (last,))
    store.execute("DELETE FROM postings WHERE seq >= (SELECT first_posting FROM batches WHERE batch = ?)", (last,))
    store.execute("DELETE FROM refusals WHERE batch >= ?", (last,))
    store.execute("DELETE FROM batches WHERE batch >= ?", (last,))
    store.execute("UPDATE head SET batch = ?, hash = (SELECT hash FROM batches WHERE batch = ?)", (last - 1, last - 1))


Alteration = Callable[[sqlite3.Connection, random.Random, int, int], None]
ALTERATIONS: dict[str, Alteration] = {
    "an event edited": _edit,
    "an event deleted": _delete,
    "two events swapped": _swap,
    "a posting edited": _post,
    "the tail sealed again": _seal_again,
    "the tail cut off": _cut,
}


def tamper(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Alter copies of the store in every way, and have each found; the checkpoints are the stack's."""
    times = max(1, kills // 10)
    wait("there is something to alter", lambda: len(rig.load.acknowledged) > 200)
    rig.settle()
    rig.end("ledger")  # which signs a last checkpoint
    kept, found = rig.folder / "kept.db", Counter[str]()
    shutil.copy(rig.stack.files.ledger_store, kept)
    rig.start("ledger")
    checkpoints = kept_checkpoints(rig.folder, None, None)
    for name, alter in ALTERATIONS.items():
        for n in range(times):
            altered = rig.folder / "altered.db"
            shutil.copy(kept, altered)
            with closing(sqlite3.connect(altered)) as store:
                [events] = store.execute("SELECT max(seq) FROM events").fetchone()
                [batches] = store.execute("SELECT max(batch) FROM batches").fetchone()
                seq = chance.randint(1, events - 1)
                [place] = store.execute("SELECT max(batch) FROM batches WHERE first_event <= ?", (seq,)).fetchone()
                alter(store, chance, seq, chance.randint(2, batches))
                store.commit()
            with closing(open_reader(altered)) as store_:
                wrong = verify(store_).wrong
                signed = next((w for c in checkpoints if (w := find_contradiction(store_, c))), None)
            if wrong is None and signed is None:
                raise Broken(f"{name} was not found: seed {rig.seed}, {name} {n}, {altered}")
            if alter in (_edit, _delete, _swap) and f"batch {place}:" not in str(wrong):
                raise Broken(f"{name}: not batch {place} was named but {wrong}")
            found[name, "verify" if wrong else "checkpoint"] += 1  # type: ignore[index]
            altered.unlink()
            rig.advance(f"{name}: {n + 1} of {times}")
    kept.unlink()
    rig.run_load()
    ways = ", ".join(f"{name} {count} by {by}" for (name, by), count in found.items())  # type: ignore[misc]
    return Tried(
        "the store altered: edit, delete, swap, seal the tail again, cut it off",
        times * len(ALTERATIONS),
        f"all found: {ways}; of an edit, a deletion and a swap the batch was named",
    )


# ---------------------------------------------------------------- the store put back


def put_back(rig: Rig, chance: random.Random, kills: int) -> Tried:
    """Put an older copy of the store back, and see the ledger refuse it; then the newer one, and it goes on."""
    times, path = max(1, kills // 20), rig.stack.files.ledger_store
    old, newer = rig.folder / "old.db", rig.folder / "newer.db"
    for n in range(times):
        rig.end("ledger")
        shutil.copy(path, old)
        rig.start("ledger")
        rig.until_heard("it goes on")
        time.sleep(chance.uniform(0, 1))
        rig.end("ledger")
        shutil.move(path, newer)
        shutil.move(old, path)
        before = rig.logged("ledger", "critical", "the checkpoint of batch")
        rig.start("ledger")
        wait(
            "the old copy is refused",
            lambda was=before: rig.logged("ledger", "critical", "the checkpoint of batch") > was,
        )
        rig.end("ledger")
        for ending in ("-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
        shutil.move(newer, path)
        rig.start("ledger")
        rig.until_heard("it goes on with the newer one")
        rig.advance(f"put back: {n + 1} of {times}")
    return Tried(
        "an older copy of the store put back",
        times,
        "the ledger refused it each time, by its checkpoint, and went on with the newer one",
    )


FORGERIES = (Fault(8, "say-again", say_again), Fault(16, "tamper", tamper), Fault(17, "put-back", put_back))
