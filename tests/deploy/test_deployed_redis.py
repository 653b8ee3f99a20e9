"""Is the Redis of a deployment set as the one of the embedded stack, on which all is tried?"""

import shlex
from pathlib import Path

from services.operator.stack.redis_server import redis_settings

CONFIG = Path(__file__).parents[2] / "deploy/redis.conf"


def test_what_the_embedded_stack_sets_is_set_alike() -> None:
    lines = [shlex.split(line) for line in CONFIG.read_text().splitlines() if line and not line.startswith("#")]
    deployed = {name: " ".join(values) for name, *values in lines}

    assert deployed | redis_settings() == deployed
