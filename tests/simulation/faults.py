"""What goes wrong in a world: each world draws which faults it has, how often, and when."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

# fault -> the greatest chance, each time that it could strike
FAULTS = {
    # between a party and its stream: 2, 5, 8 and 9 of the catalogue
    "request lost": 0.1,
    "reply lost": 0.1,
    "acknowledged and lost": 0.2,
    "duplicated": 0.2,
    "reordered": 0.4,
    # where a process stands: 1, 3, 13 and 14
    "crash between steps": 0.02,
    "crash at a statement": 0.02,
    "crash before commit": 0.1,
    "crash after commit": 0.1,
    "crash after publish": 0.1,
    "pause at a statement": 0.02,
    "pause before commit": 0.1,
    "pause after commit": 0.1,
    "pause after publish": 0.1,
    # around them: 4, 7 and 10
    "garbage on a stream": 0.03,
    "stream deleted": 0.02,
    "all streams flushed": 0.01,
    "streams restored to an earlier state": 0.02,
    "clock jumped": 0.05,
}


class Crash(BaseException):
    """The process is dead from here on: not an Exception, for nobody may catch it."""


class Faults:
    """A world's faults, and how often each has struck."""

    def __init__(self, random: Random) -> None:
        self.random = random
        # a fault that is always there hides what happens without it
        self.rates = {fault: most * random.choice((0, 0, 0.2, 1)) for fault, most in FAULTS.items()}
        self.counts: Counter[str] = Counter()
        self.over = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let nothing strike for a while."""
        over, self.over = self.over, True
        yield
        self.over = over

    def strikes(self, fault: str) -> bool:
        """Return whether a fault strikes here and now."""
        rate = self.rates[fault]
        if self.over or not rate or self.random.random() >= rate:
            return False
        self.counts[fault] += 1
        return True
