"""python -m tests.chaos.failpoints: a service that dies at a chosen moment, or whose clock is wrong.

The production code has no switch for it: this module patches it from outside, then starts the service as it is.
`CHAOS_SERVICE` names it, `CHAOS_POINT` and `CHAOS_AT` the moment and how often it passes before, `CHAOS_CLOCK_S` by how
much its clock is ahead.
"""

import os
import sys
import time
from importlib import import_module
from typing import Any

from services.ledger.store.sqlite import SqliteDatabase

DIED = 70
POINTS = ("before_commit", "after_commit", "before_publish", "after_publish")


class Failpoint:
    """Ends the process, as a kill does, when it is reached for the n-th time."""

    def __init__(self, point: str, at: int) -> None:
        self.point, self.left = point, at

    def reach(self, point: str) -> None:
        """Die here, if it is the time and the place."""
        self.left -= point == self.point
        if not self.left:
            os._exit(DIED)


def patch_commit(fail: Failpoint) -> None:
    """Have the ledger's commits pass the failpoint."""

    commit = SqliteDatabase.commit

    def commit_or_die(database: SqliteDatabase) -> None:
        fail.reach("before_commit")
        commit(database)
        fail.reach("after_commit")

    SqliteDatabase.commit = commit_or_die  # type: ignore[method-assign]


def patch_publish(fail: Failpoint) -> None:
    """Have what a service publishes pass the failpoint; called before the service is imported."""
    entries = import_module("shared.service.entries")
    publish = entries.publish_entries

    async def publish_entries(*args: Any, **options: Any) -> Any:
        fail.reach("before_publish")
        answers = await publish(*args, **options)
        fail.reach("after_publish")
        return answers

    entries.publish_entries = publish_entries


def turn_clock(ahead_s: int) -> None:
    """Have the wall clock of this process be wrong; what measures durations goes on as it is."""
    wall_s, wall_ns = time.time, time.time_ns
    time.time = lambda: wall_s() + ahead_s
    time.time_ns = lambda: wall_ns() + ahead_s * 1_000_000_000


def main(service: str) -> int:
    """Run a service, patched."""
    fail = Failpoint(os.environ.get("CHAOS_POINT", ""), int(os.environ.get("CHAOS_AT", "0")))
    if fail.point.endswith("_commit"):
        patch_commit(fail)
    elif fail.point:
        patch_publish(fail)
    app = import_module(f"services.{service}.app")
    turn_clock(int(os.environ.get("CHAOS_CLOCK_S", "0")))
    from shared.process.log import configure_log  # noqa: PLC0415
    from shared.service.service import run_service  # noqa: PLC0415 (the clock is turned first)

    configure_log(service)
    settings = getattr(app, f"{service.capitalize()}Settings")
    return run_service(app.build_app(settings()))


if __name__ == "__main__":
    sys.exit(main(os.environ["CHAOS_SERVICE"]))
