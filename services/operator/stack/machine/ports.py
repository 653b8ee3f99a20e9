"""The TCP ports of a stack: the same from start to start, as far as they are free."""

import json
import socket
from collections.abc import Sequence
from pathlib import Path

from services.operator.stack.errors import StackError
from services.operator.stack.new_file import replace_file

_CONSOLE = "console"  # the address that people keep


def keep_ports(path: Path, names: Sequence[str], first: int | None = None) -> dict[str, int]:
    """Return the port of each service, and keep it in a file: that of the file, or from `first` on, else a free one.

    With `first` the console has that port, and the others have those behind it; raises `StackError` if one is taken.
    A kept port that another program has taken gives way to a free one for this start, and stays kept.
    """
    kept: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
    if first is not None:
        ordered = sorted(names, key=lambda name: name != _CONSOLE)
        kept |= {name: first + n for n, name in enumerate(ordered)}
        taken = [f"{kept[name]} ({name})" for name in ordered if not _is_free(kept[name])]
        if taken:
            raise StackError(f"another program has the port {', '.join(taken)}: choose another with --port")
    ports = {name: kept[name] for name in names if name in kept and _is_free(kept[name])}
    missing = [name for name in names if name not in ports]
    ports |= zip(missing, free_ports(len(missing)), strict=True)
    replace_file(path, json.dumps(ports | kept, indent=1))
    return {name: ports[name] for name in names}


def free_ports(count: int) -> list[int]:
    """Return free TCP ports of this machine."""
    sockets = [socket.socket() for _ in range(count)]
    for free in sockets:
        free.bind(("127.0.0.1", 0))
    ports = [free.getsockname()[1] for free in sockets]
    for free in sockets:
        free.close()
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # as a server binds: closed connections do not count
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True
