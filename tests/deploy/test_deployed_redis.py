"""Is the Redis of a deployment set as the one of the embedded stack, on which all is tried?"""

import shlex
from pathlib import Path

from services.operator.stack.redis_server import redis_command

CONFIG = Path(__file__).parents[2] / "deploy/redis.conf"
_OF_THE_PLACE = {"port", "bind", "dir"}


def test_what_the_embedded_stack_sets_is_set_alike() -> None:
    _, *options = redis_command(6379, Path("/data"))
    embedded = dict(setting.partition(" ")[::2] for setting in " ".join(options).removeprefix("--").split(" --"))
    lines = [shlex.split(line) for line in CONFIG.read_text().splitlines() if line and not line.startswith("#")]
    deployed = {name: " ".join(values) for name, *values in lines} | {"save": ""}

    for name in embedded.keys() - _OF_THE_PLACE:
        assert deployed[name] == embedded[name], name
