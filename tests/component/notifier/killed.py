"""python -m tests.component.notifier.killed STEP KILLS RULES FILE: a notifier that is killed at one step, many times.

Each round is a process of its own: it takes one entry, sends what is due, and kills itself with SIGKILL when it comes
to the step for the first time of that message. The next one finds what it left. Prints the number of kills.
"""

import os
import signal
import sys
import time
from pathlib import Path

import apprise

from services.notifier.outgoing import Message, Outgoing
from services.notifier.rules import read_rules
from services.notifier.sending import AppriseSender, Pace, send_due
from shared.wire.alerts import AlertBatch, AlertChange, AlertName, change_id

STEPS = ("taking", "taken", "begun", "sent", "noted")


def entry(number: int) -> tuple[str, AlertBatch]:
    name = AlertName("short_within", ("A", f"site-{number}"), 20_000 + number)
    change = AlertChange(
        id=change_id(1, number, "raised", name), code=name.code, status="raised",
        subject={"product": "A", "site": f"site-{number}"}, day=name.day, detail={"wafers": number}, causes=[],
        name=name.text,
    )  # fmt: skip
    return f"1-{number}", AlertBatch(epoch=1, number=number, position=number, complete_through=None, changes=[change])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Killed(Outgoing):
    """The file of outgoing messages of a process that is killed at a step."""

    step, to_die = "", True

    def begin_behind(self, entry: str) -> None:
        super().begin_behind(entry)
        if self.step == "taking" and self.to_die:  # inside the transaction
            die()

    def begin_try(self, message: Message, due: float) -> None:
        super().begin_try(message, due)
        if self.step == "begun" and message.tries == 0:
            die()

    def note_sent(self, message: Message, now: float) -> None:
        if self.step == "sent" and message.tries == 0:
            die()
        super().note_sent(message, now)
        if self.step == "noted" and message.tries == 0:
            die()


def run_once(step: str, number: int, rules_path: str, file: str, *, to_die: bool) -> None:
    rules = read_rules(Path(rules_path).read_text(), rules_path)
    outgoing = Killed(file)
    outgoing.step, outgoing.to_die = step, to_die
    last = int((outgoing.entry or "1-0").partition("-")[2])
    new = [entry(n) for n in range(last + 1, number + 1)]
    if new:
        outgoing.take(new, rules, time.time())
        if step == "taken" and to_die:
            die()
    send_due(outgoing, AppriseSender(rules, 5).send, Pace(0.001, 0.001), lambda *_: None)
    time.sleep(0.005)  # a message that was begun is due again
    send_due(outgoing, AppriseSender(rules, 5).send, Pace(0.001, 0.001), lambda *_: None)
    os._exit(0)


def main(step: str, kills: int, rules: str, file: str) -> int:
    killed = 0
    apprise.Apprise.instantiate("json://127.0.0.1")  # loads its plugins here, and not in each round
    for number in range(1, kills + 1):
        to_die = True
        while True:
            child = os.fork()
            if child == 0:
                try:
                    run_once(step, number, rules, file, to_die=to_die)
                finally:
                    os._exit(1)
            _, status = os.waitpid(child, 0)
            if os.WIFEXITED(status):
                assert os.WEXITSTATUS(status) == 0, f"round {number} ended with {status}"
                break
            killed, to_die = killed + 1, False
    return killed


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]))  # noqa: T201
