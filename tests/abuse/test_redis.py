"""The Redis of a stack on this machine, which every user of it can reach."""

import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, ResponseError

from services.operator.stack.stack import Stack
from tests.abuse.conftest import Watch


def test_redis_lets_no_stranger_in_and_runs_no_script(silent: Stack, watch: Watch) -> None:
    address = urlsplit(silent.redis_url)
    with watch(silent, "row 19: Redis without its password, and scripts with it") as noted:
        with Redis(port=address.port or 0) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        with Redis.from_url(silent.redis_url) as redis:
            for command in (["EVAL", "return 1", "0"], ["SCRIPT", "LOAD", "return 1"], ["DEBUG", "SLEEP", "0"]):
                with pytest.raises(ResponseError, match="unknown command"):
                    redis.execute_command(*command)
        noted.seen = "refused; unknown command"


def test_no_other_user_of_the_machine_sees_the_password(silent: Stack) -> None:
    password = urlsplit(silent.redis_url).password
    command = Path(f"/proc/{silent.processes['redis'].pid}/cmdline").read_bytes()

    assert password
    assert password.encode() not in command
    assert stat.S_IMODE(silent.files.facts.stat().st_mode) == 0o600
    assert not any(password in path.read_text() for path in (silent.folder / "logs").iterdir())
