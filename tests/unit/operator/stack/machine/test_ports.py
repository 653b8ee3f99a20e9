"""The ports of a stack stay the same from start to start."""

import json
import socket

import pytest

from services.operator.stack.errors import StackError
from services.operator.stack.machine.ports import free_ports, keep_ports

NAMES = ("ledger", "aggregator", "console")


def test_the_ports_are_those_of_the_last_start(tmp_path):
    path = tmp_path / "ports.json"
    first = keep_ports(path, NAMES)

    assert keep_ports(path, NAMES) == first
    more = keep_ports(path, [*NAMES, "supplier-new"])
    assert {name: more[name] for name in NAMES} == first
    assert len(set(more.values())) == 4


def test_a_port_that_another_has_taken_gives_way_and_stays_kept(tmp_path):
    path = tmp_path / "ports.json"
    first = keep_ports(path, NAMES)
    with socket.socket() as other:
        other.bind(("127.0.0.1", first["console"]))
        other.listen()

        assert keep_ports(path, NAMES)["console"] != first["console"]
    assert keep_ports(path, NAMES) == first


def test_the_console_has_the_port_that_is_asked_for(tmp_path):
    [port] = free_ports(1)

    assert keep_ports(tmp_path / "ports.json", NAMES[-1:], port) == {"console": port}
    assert json.loads((tmp_path / "ports.json").read_text()) == {"console": port}


def test_a_port_asked_for_that_is_taken_is_refused(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(StackError, match=rf"has the port {port} \(console\).*--port"):
            keep_ports(tmp_path / "ports.json", NAMES[-1:], port)
