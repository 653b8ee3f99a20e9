"""Playing a page: its commands are run in their order, and what they print is compared with what it shows.

A block ```console holds commands (`$`, and `>` where one goes on) and what they print, in which `...` stands for
anything. One with a title is run in a terminal of its own, from its place on the page to the page's end.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from tests.docs.pages import DOCS

BLOCK = re.compile(r"^```(\w*)(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
_COMMAND = re.compile(r"^\$ (.+(?:\n>.*)*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
_MARK = "@@ the next command @@"
_COMPOSE = re.compile(r"^ ?(?:Creating|Container) \S+ .*\n", re.MULTILINE)  # its progress, which varies by version
_UP_WITHIN_S = 120
_ENDED_WITHIN_S = 900  # all commands of a page; images that are not built yet take minutes
_CHECKER, _LENIENT = OutputChecker(), ELLIPSIS | NORMALIZE_WHITESPACE


class Command(NamedTuple):
    """A command of a page, and what the page says that it prints: None where it does not say."""

    line: int
    text: str
    shown: str | None
    stays: bool  # in a terminal of its own


def commands(page: str) -> Iterator[Command]:
    """Yield the commands of a page in their order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for block in BLOCK.finditer(text):
        language, title, body = block.groups()
        assert language != "sh", f"{page}: a command in a block that is not run"
        first = text[: block.start()].count("\n") + 2
        for part in _COMMAND.finditer(body) if language == "console" else ():
            line = first + body[: part.start()].count("\n")
            yield Command(line, re.sub(r"\n> ?", "\n", part[1]), part[2] or None, "title" in title)


def play(page: str, checkout: Path, **more: str) -> list[str]:
    """Run the commands of a page in a checkout, and return what went or was printed otherwise than it says."""
    environment = os.environ | {"PATH": f"{checkout / '.venv/bin'}:{os.environ['PATH']}"} | more
    for name in ("COLUMNS", "MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of who runs the tests
        environment.pop(name, None)
    wrong, exports = list[str](), ""
    with ExitStack() as terminals:
        for stays, group in groupby(commands(page), key=lambda command: command.stays):
            for command in group if stays else ():
                terminals.enter_context(_staying_up(command, checkout, environment))
            if stays:
                continue
            run = list(group)
            wrong += _run(page, run, checkout, environment, exports)
            exports += "".join(f"{command.text}\n" for command in run if command.text.startswith("export "))
    return wrong


def _run(page: str, run: list[Command], checkout: Path, environment: Mapping[str, str], exports: str) -> Iterator[str]:
    """Run commands in one shell, and yield what went or was printed otherwise than the page says."""
    script = exports + "".join(f"{command.text}\necho '{_MARK}' $?\n" for command in run)
    done = subprocess.run(
        ["bash", "-c", script],  # noqa: S607
        cwd=checkout, env=environment, text=True, timeout=_ENDED_WITHIN_S, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    printed = re.findall(rf"(.*?){_MARK} (\d+)\n", _COMPOSE.sub("", done.stdout), re.DOTALL)
    assert len(printed) == len(run) > 0, done.stdout
    for command, (text, code) in zip(run, printed, strict=True):
        if code != "0" or not (command.shown is None or _CHECKER.check_output(command.shown, text, _LENIENT)):
            yield (
                f"{page}:{command.line}: $ {command.text}\nshown:\n{command.shown}\nprinted:\n{text}\nexit code {code}"
            )


@contextmanager
def _staying_up(begun: Command, checkout: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Have what a page leaves in another terminal run beside what follows, and end it with Ctrl-C."""
    words = begun.text.split()
    folder = words[words.index("--data") + 1] if "--data" in words else "data/up"
    status = [".venv/bin/waferline", "status", "--data", folder]  # another stack may run on this machine, too
    process = subprocess.Popen(words, cwd=checkout, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _UP_WITHIN_S
        while subprocess.run(status, cwd=checkout, env=environment, capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, f"{begun.text} is not up within {_UP_WITHIN_S} s"
            time.sleep(0.2)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
