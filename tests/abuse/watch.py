"""python tests/abuse/watch.py '{"ledger": ["http://127.0.0.1:8101", 4711]}'

Watches services until standard input ends: how much memory each takes at most, and how long it takes to answer /health.
A process of its own, so that an attack in the tests cannot slow the watch. It prints one JSON object at the end.
"""

import http.client
import json
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

PAUSE_S = 0.1
GIVEN_UP_AFTER_S = 20.0
CLEAR_PEAK = "5"  # proc(5), clear_refs


def memory_kb(pid: int, field: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1])
    return 0


class Watched(threading.Thread):
    """One service: its peaks so far."""

    def __init__(self, name: str, url: str, pid: int, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self.name, self.url, self.pid, self.ended = name, urlsplit(url), pid, ended
        with suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text(CLEAR_PEAK)
        self.before_kb = memory_kb(pid, "VmRSS")
        self.health_s = 0.0
        self.failures: list[str] = []
        self.answers = 0

    def run(self) -> None:
        while not self.ended.is_set():
            began = time.perf_counter()
            connection = http.client.HTTPConnection(self.url.hostname or "", self.url.port, timeout=GIVEN_UP_AFTER_S)
            try:
                connection.request("GET", "/health")
                connection.getresponse().read()
                self.answers += 1
            except OSError as failure:
                self.failures.append(repr(failure))
            finally:
                connection.close()
            self.health_s = max(self.health_s, time.perf_counter() - began)
            time.sleep(PAUSE_S)

    def found(self) -> dict[str, object]:
        return {
            "before_mb": self.before_kb / 1024,
            "peak_mb": memory_kb(self.pid, "VmHWM") / 1024,
            "health_s": round(self.health_s, 3),
            "answers": self.answers,
            "failures": self.failures[:3],
            "alive": memory_kb(self.pid, "VmRSS") > 0,
        }


def main() -> None:
    ended = threading.Event()
    watched = [Watched(name, url, pid, ended) for name, (url, pid) in json.loads(sys.argv[1]).items()]
    for each in watched:
        each.start()
    print("watching", flush=True)
    sys.stdin.read()
    ended.set()
    for each in watched:
        each.join(GIVEN_UP_AFTER_S)
    print(json.dumps({each.name: each.found() for each in watched}), flush=True)


if __name__ == "__main__":
    main()
