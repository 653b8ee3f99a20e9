"""What must hold after every fault, whatever it was."""

import json
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

from services.operator.record.curves import fold as fold_store
from services.operator.record.store import open_store
from shared.wire.postings import STAGES, Measure
from testing.fold import Cell, cells_of, fold
from tests.chaos.rig import ROOT, Rig, wait

_HORIZON_END = "2030-12-31"
Stages = dict[tuple[str, str, str], Counter[str]]


class Facts(NamedTuple):
    """What a store says of itself, the tables in SQL, without the code that wrote them."""

    identities: list[tuple[str, str]]
    holes: list[str]
    cells: dict[tuple[int, int, str, str, str], int]  # measure, day, product, site, supplier -> wafers
    head: str
    state_hash: str


def read_facts(folder: Path) -> Facts:
    """Read them: the one place that knows the tables, and how a store is closed."""
    store = open_store(folder)
    query = store.database.query
    identities = query("SELECT n.name, lower(hex(e.id)) FROM events e JOIN names n ON n.id = e.source")
    cells = query(
        "SELECT measure, day, p.name, s.name, u.name, sum(wafers) FROM postings JOIN keys k ON k.id = postings.key"
        " JOIN names p ON p.id = k.product JOIN names s ON s.id = k.site JOIN names u ON u.id = k.supplier"
        " GROUP BY 1, 2, 3, 4, 5"
    )
    holes = [f"{source} {progress.runs}" for source, progress in store.progress.items() if len(progress.runs) > 1]
    head, state_hash = store.head.hash.hex(), fold_store(store).state_hash()
    store.close()  # else a ledger that stops could not fold its write-ahead log into the file
    return Facts(
        [(source, f"{i[:8]}-{i[8:12]}-{i[12:16]}-{i[16:20]}-{i[20:]}") for source, i in identities],
        holes,
        {cell[:5]: cell[5] for cell in cells if cell[5]},
        head,
        state_hash,
    )


def violations(rig: Rig, *, as_command: bool = True) -> list[str]:
    """Return which invariants do not hold, once all that was said is acknowledged, told and folded."""
    rig.settle()
    facts = read_facts(rig.folder)
    state = wait("the aggregator answers", lambda: rig.get("aggregator", "/state"))
    events = rig.load.attempted | rig.put
    once, ledger = Counter(facts.identities), set(facts.identities)
    proof = _verify(rig.folder) if as_command else None
    again = fold([*events.values()]).store
    stages = _stages(facts)
    found = {
        "acknowledged, and not in the ledger": rig.load.acknowledged - ledger,
        "in the ledger, and never attempted": ledger - events.keys(),
        "attempted and, after all, not in the ledger": events.keys() - ledger,
        "in the ledger twice": [identity for identity, times in once.items() if times > 1],
        "gaps in a source's sequence": facts.holes,
        "refused, though it was right": rig.load.refused,
        "stages that do not sum to zero": [key for key, cells in stages.items() if sum(cells.values())],
        "aggregator and sums over the postings": _differences(rig, stages),
        "cells of the store and of a replay of what was said": facts.cells.items() ^ _named(cells_of(again)).items(),
        "hashes": {state["state_hash"], fold_store(again).state_hash(), facts.state_hash} - {state["state_hash"]},
        "verify": [proof] if proof and (not proof["proved"] or proof["state_hash"] != state["state_hash"]) else [],
        "head": [state["head"]] if state["head"] != facts.head else [],
        "hledger": _hledger(rig.folder) if as_command else "",
    }
    return [f"{name}: {str(wrong)[:400]}" for name, wrong in found.items() if wrong]


def _verify(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "services.operator", "verify", "--data", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    proof: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"proved": False, "wrong": done.stderr}
    return proof


def _hledger(folder: Path) -> str:
    """Return what hledger has against the journal of a store; nothing where there is no hledger."""
    if shutil.which("hledger") is None:
        return ""
    journal = folder / f"journal-{time.monotonic_ns()}"
    export = [sys.executable, "-m", "services.operator", "export", "--format", "hledger", "--to", str(journal)]
    subprocess.run([*export, "--data", str(folder)], capture_output=True, cwd=ROOT, check=True)
    command = ["hledger", "-f", str(journal), "check", "--strict", "ordereddates", "payees"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def _stages(facts: Facts) -> Stages:
    """Return the wafers in each stage by key: every movement takes from one and brings to another."""
    stages: Stages = defaultdict(Counter)
    for (measure, _, *key), wafers in facts.cells.items():
        if Measure(measure) in STAGES:
            taken, brought = STAGES[Measure(measure)]
            stages[tuple(key)][taken] -= wafers  # type: ignore[index]
            stages[tuple(key)][brought] += wafers  # type: ignore[index]
    return stages


def _differences(rig: Rig, stages: Stages) -> list[str]:
    """Return where the aggregator's balances are not what the store's postings sum up to."""
    answer = rig.get("aggregator", f"/balances?by=product,site,supplier&day={_HORIZON_END}")
    names = {"wip": "wip", "finished": "finished", "in_transit": "transit", "on_hand": "on_hand"}
    wrong = []
    for row in answer["rows"]:
        due = stages.get((row["product"], row["site"], row["supplier"]), Counter())
        wrong += [f"{row} {due}" for shown, stage in names.items() if row[shown] != due[stage]]
    return wrong


def _named(cells: dict[Cell, int]) -> dict[tuple[int, int, str, str, str], int]:
    return {(int(measure), day, *key): wafers for (measure, day, key), wafers in cells.items()}
