"""One process of the fuzzer: atheris chooses the inputs by the branches that they reach; findings go to a folder."""

import importlib
import json
import random
import sys
import time
import traceback
from pathlib import Path

import atheris

from tests.fuzz.targets import COMPILED, FOUND, INSTRUMENTED, load

_COUNTS_EVERY_S = 5.0
_FINDING_KEY = 50  # characters, by which two findings are one
_BYTEWISE, _FROM_SEEDS = (
    0.2,
    0.3,
)  # of the mutations are libFuzzer's own, and begin with a seed: most others are refused


def _place(why: BaseException) -> str:
    """Return the kind of an error, the last line of it, and what it says; by its beginning two findings are one."""
    frames = traceback.extract_tb(why.__traceback__)
    return f"{type(why).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}: {str(why)[:200]}"


def main(name: str, counts: Path, options: list[str]) -> None:
    """Fuzz a target; write the counts of inputs and outcomes, and the findings, to a file every few seconds."""
    for module in COMPILED.get(name, ()):
        importlib.import_module(module)
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        target = load(name)
    target.check(target.seeds[0])  # what is made once is not the first input's doing
    outcomes: dict[str, int] = {}
    findings: dict[str, str] = {}
    inputs, written_at = 0, 0.0

    def read(data: bytes) -> None:
        nonlocal inputs, written_at
        try:
            outcome = target.check(data)
        except Exception as why:  # noqa: BLE001 (whatever it is, it is a finding)
            outcome, place = "finding", _place(why)
            if place[:_FINDING_KEY] not in findings:
                path = FOUND / name / f"found-{len(findings) + 1}-{int(time.time())}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                findings[place[:_FINDING_KEY]] = f"{path.name}: {place}"
                written_at = 0.0
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        inputs += 1
        if time.monotonic() - written_at >= _COUNTS_EVERY_S:
            written_at = time.monotonic()
            counts.write_text(json.dumps({"inputs": inputs, "outcomes": outcomes, "findings": list(findings.values())}))

    def mutate(data: bytes, size_max: int, seed: int) -> bytes:
        dice = random.Random(seed)
        if dice.random() < _BYTEWISE:
            return atheris.Mutate(data, size_max)
        return target.mutate(dice.choice(target.seeds) if dice.random() < _FROM_SEEDS else data, dice)[:size_max]

    atheris.Setup([sys.argv[0], *options], read, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
