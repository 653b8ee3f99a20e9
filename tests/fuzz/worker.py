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

_TOLD_EVERY_S = 5.0
_SAME = 50  # characters of a finding
_BY_BYTES, _OF_SEEDS = 0.2, 0.3  # of the mutations are libFuzzer's own, and begin with a seed: most others are refused


def _place(why: BaseException) -> str:
    """Return the kind of an error, the last line of it, and what it says; by its beginning two findings are one."""
    frames = traceback.extract_tb(why.__traceback__)
    return f"{type(why).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}: {str(why)[:200]}"


def main(name: str, told: Path, options: list[str]) -> None:
    """Fuzz a target; write to a file now and then how many inputs were read, what came of them, and the findings."""
    for module in COMPILED.get(name, ()):
        importlib.import_module(module)
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        target = load(name)
    target.check(target.seeds[0])  # what is made once is not the first input's doing
    outcomes: dict[str, int] = {}
    findings: dict[str, str] = {}
    inputs, said = 0, 0.0

    def read(data: bytes) -> None:
        nonlocal inputs, said
        try:
            outcome = target.check(data)
        except Exception as why:  # noqa: BLE001 (whatever it is, it is a finding)
            outcome, place = "finding", _place(why)
            if place[:_SAME] not in findings:
                path = FOUND / name / f"found-{len(findings) + 1}-{int(time.time())}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                findings[place[:_SAME]] = f"{path.name}: {place}"
                said = 0.0
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        inputs += 1
        if time.monotonic() - said >= _TOLD_EVERY_S:
            said = time.monotonic()
            told.write_text(json.dumps({"inputs": inputs, "outcomes": outcomes, "findings": list(findings.values())}))

    def mutate(data: bytes, size_max: int, seed: int) -> bytes:
        dice = random.Random(seed)
        if dice.random() < _BY_BYTES:
            return atheris.Mutate(data, size_max)
        return target.mutate(dice.choice(target.seeds) if dice.random() < _OF_SEEDS else data, dice)[:size_max]

    atheris.Setup([sys.argv[0], *options], read, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
