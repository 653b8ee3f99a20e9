"""Does a real Redis let each user do exactly what the table says? The table is written by hand, not derived."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from services.operator.deployment.deployment_secrets import provision
from testing.servers.redis import deployed_redis, find_server, server_version

DEPLOYED_VERSION = 8  # of Redis in docker-compose.yml
SUPPLIERS, DATACENTERS = ("samsung", "skhynix"), ("emea", "apac")
USERS = (
    "ledger", "aggregator", "console", "notifier", "supplier-samsung", "supplier-skhynix",
    "datacenter-emea", "datacenter-apac", "operator", "health",
)  # fmt: skip

# a: XADD, r: XREAD, v: XREVRANGE, g: XRANGE, l: XLEN, i: XINFO STREAM; a column for each of USERS, in their order
TABLE = """
    supply:samsung      rvgl  -   -   -   a   -   -   -   rvgli  -
    supply:skhynix      rvgl  -   -   -   -   a   -   -   rvgli  -
    demand:emea         rvgl  -   -   -   -   -   a   -   rvgli  -
    demand:apac         rvgl  -   -   -   -   -   -   a   rvgli  -
    recorded:samsung    a     -   -   -   rv  -   -   -   rvgli  -
    recorded:skhynix    a     -   -   -   -   rv  -   -   rvgli  -
    recorded:emea       a     -   -   -   -   -   rv  -   rvgli  -
    recorded:apac       a     -   -   -   -   -   -   rv  rvgli  -
    postings            av    rv  -   -   -   -   -   -   rvgli  -
    balances            -     a   rv  -   -   -   -   -   rvgli  -
    alerts              -     ag  rv  rv  -   -   -   -   rvgli  -
    plan:anyone         rvgl  -   -   -   rv  rv  rv  rv  rvgli  -
    supply:micron       rvgl  -   -   -   -   -   -   -   rvgli  -
    supply:*            rvgl  -   -   -   -   -   -   -   rvgli  -
    recorded:micron     a     -   -   -   -   -   -   -   rvgli  -
    supply              -     -   -   -   -   -   -   -   -      -
    postings:more       -     -   -   -   -   -   -   -   -      -
"""
HEARD_IN_PLAY = """
    supply:samsung      -     -   -   -   -   -   rv  rv  -      -
    supply:skhynix      -     -   -   -   -   -   rv  rv  -      -
    supply:micron       -     -   -   -   -   -   rv  rv  -      -
    supply:*            -     -   -   -   -   -   rv  rv  -      -
    demand:emea         -     -   -   -   rv  rv  -   -   -      -
    demand:apac         -     -   -   -   rv  rv  -   -   -      -
"""
ORDERS = {
    "a": "XADD {} * __data__ x",
    "r": "XREAD COUNT 1 STREAMS {} 0",
    "v": "XREVRANGE {} + - COUNT 1",
    "g": "XRANGE {} - + COUNT 1",
    "l": "XLEN {}",
    "i": "XINFO STREAM {}",
}
NEVER_ON_A_STREAM = (
    "DEL {}", "UNLINK {}", "XTRIM {} MAXLEN 0", "XDEL {} 0-1", "XSETID {} 9-9", "XGROUP CREATE {} g 0",
    "XINFO GROUPS {}", "XREADGROUP GROUP g c STREAMS {} >", "XCLAIM {} g c 0 0-1", "XACK {} g 0-1", "EXPIRE {} 1",
    "RENAME {} gone", "COPY {} copied", "DUMP {}", "RESTORE {} 0 x", "MIGRATE 127.0.0.1 1 {} 0 1", "SET {} x",
    "GET {}", "TYPE {}", "EXISTS {}", "OBJECT ENCODING {}", "WATCH {}", "MEMORY USAGE {}", "SORT {}",
    "XADD {} NOMKSTREAM MAXLEN 0 9-9 x x",
)  # fmt: skip
NEVER = (
    "FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "KEYS *", "SCAN 0", "RANDOMKEY", "DBSIZE", "CONFIG GET *",
    "CONFIG SET maxmemory 1", "CONFIG RESETSTAT", "CONFIG REWRITE", "ACL LIST", "ACL WHOAMI",
    "ACL SETUSER health +@all", "ACL LOG", "ACL LOG RESET", "EVAL return(1) 0", "EVALSHA 00 0",
    "SCRIPT LOAD return(1)", "SCRIPT FLUSH", "FUNCTION LIST", "FCALL f 0", "DEBUG JMAP", "MODULE LIST",
    "MODULE LOAD x", "MONITOR", "CLIENT LIST", "CLIENT KILL TYPE normal", "CLIENT PAUSE 1", "CLIENT SETNAME x",
    "CLIENT ID", "SHUTDOWN ABORT", "SAVE", "BGSAVE", "BGREWRITEAOF", "REPLICAOF NO ONE", "FAILOVER ABORT",
    "PSYNC ? -1", "CLUSTER INFO", "INFO", "COMMAND COUNT", "SLOWLOG GET", "LATENCY DOCTOR", "PUBLISH c x",
    "SUBSCRIBE c", "PSUBSCRIBE *", "MULTI", "SELECT 1", "WAIT 0 1", "ECHO x", "TIME", "LASTSAVE", "MEMORY DOCTOR",
    "SET k v", "GET k", "MSET {0}a x {0}b y",
    "ACL LOAD",  # the last one: an older Redis than the deployed one then ends the connection
)  # fmt: skip


def read(table: str) -> dict[tuple[str, str], str]:
    """Return the letters of a table by user and stream."""
    rows = [line.split() for line in table.strip().splitlines()]
    return {
        (user, f"wafers:{{0}}:{stream}"): letters.replace("-", "")
        for stream, *columns in rows
        for user, letters in zip(USERS, columns, strict=True)
    }


class Deployment:
    """A Redis with the users of a folder of secrets, and a connection for each of them."""

    def __init__(self, secrets: Path, port: int, until_the_end: ExitStack) -> None:
        self.secrets, self.port = secrets, port
        self.connections = {
            user: until_the_end.enter_context(
                Redis(port=port, username=user, password=(secrets / f"redis-{user}").read_text(), retry=None)
            )
            for user in USERS
        }

    def may(self, user: str, order: str) -> bool:
        """Whether Redis has a user do something; what fails for any other reason than that, it may."""
        try:
            self.connections[user].execute_command(*order.split())
        except NoPermissionError:
            return False
        except RedisError as other:
            return "command not allowed" not in str(other)  # redis.conf turns it off for everybody
        return True


def deployment(folder: Path, *, playing: bool) -> Iterator[Deployment]:
    secrets = folder / "secrets"
    provision(secrets, SUPPLIERS, DATACENTERS, playing=playing)
    with deployed_redis(folder / "redis", secrets) as port, ExitStack() as until_the_end:
        yield Deployment(secrets, port, until_the_end)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    yield from deployment(tmp_path_factory.mktemp("acl"), playing=False)


@pytest.fixture(scope="module")
def playing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    yield from deployment(tmp_path_factory.mktemp("acl-play"), playing=True)


def differences(deployed: Deployment, user: str, due: Mapping[tuple[str, str], str]) -> list[str]:
    """Return what a user may and should not, or should and may not, on every stream of the table."""
    found = []
    for (name, stream), letters in due.items():
        if name == user:
            for letter, order in ORDERS.items():
                may = deployed.may(user, order.format(stream))
                if may != (letter in letters):
                    found.append(f"{user} {'may' if may else 'may not'} {order.format(stream)}")
    return found


@pytest.mark.parametrize("user", USERS)
def test_a_user_may_do_to_each_stream_what_the_table_says(deployed: Deployment, user: str) -> None:
    assert differences(deployed, user, read(TABLE)) == []


@pytest.mark.parametrize("user", USERS)
def test_a_party_that_plays_also_hears_the_other_side_and_no_more(playing: Deployment, user: str) -> None:
    heard = read(HEARD_IN_PLAY)
    due = {place: letters + heard.get(place, "") for place, letters in read(TABLE).items()}

    assert differences(playing, user, due) == []


@pytest.mark.parametrize("user", USERS)
def test_nobody_may_do_anything_else_to_a_stream(deployed: Deployment, user: str) -> None:
    adds = {stream for (name, stream), letters in read(TABLE).items() if name == user and "a" in letters}
    orders = [
        (stream, order.format(stream))
        for name, stream in read(TABLE)
        if name == user
        for order in NEVER_ON_A_STREAM
        # what an ACL cannot stop: whoever may add to a stream may cut it, too
        if not (stream in adds and order.startswith("XADD"))
    ]

    assert [order for _, order in orders if deployed.may(user, order)] == []


@pytest.mark.parametrize("user", USERS)
def test_nobody_may_do_anything_to_the_server(deployed: Deployment, user: str) -> None:
    assert deployed.may(user, "PING")
    # ACL LOAD reads the file of users, and no other: whoever asks for it gets no right by it
    assert [order for order in NEVER if deployed.may(user, order)] == ["ACL LOAD"] * (user == "health")


@pytest.mark.parametrize(
    ("user", "password"), [(None, None), (None, "x"), ("default", "x"), ("ledger", "wrong"), ("nobody", "x")]
)
def test_nobody_comes_in_without_a_name_or_with_a_wrong_password(
    deployed: Deployment, user: str | None, password: str | None
) -> None:
    with (
        Redis(port=deployed.port, username=user, password=password, retry=None) as redis,
        pytest.raises(AuthenticationError),
    ):
        redis.ping()


def test_a_party_is_added_and_another_retired_while_all_others_stay_connected(tmp_path: Path) -> None:
    if server_version(find_server()) < DEPLOYED_VERSION:
        pytest.skip("an older Redis than the deployed one ends every connection at ACL LOAD: its users log in again")
    secrets = tmp_path / "secrets"
    provision(secrets, SUPPLIERS, DATACENTERS)
    with deployed_redis(tmp_path / "redis", secrets) as port, ExitStack() as until_the_end:

        def log_in(user: str) -> Redis:
            password = (secrets / f"redis-{user}").read_text()
            redis = Redis(port=port, username=user, password=password, retry=None, single_connection_client=True)
            return until_the_end.enter_context(redis)

        connected = {user: log_in(user) for user in USERS}
        provision(secrets, ("samsung", "micron"), DATACENTERS)
        connected["health"].execute_command("ACL LOAD")

        retired = connected.pop("supplier-skhynix")
        assert all(redis.ping() for redis in connected.values())  # each on the connection that it had
        assert connected["ledger"].xlen("wafers:{0}:supply:micron") == 0
        assert log_in("supplier-micron").xadd("wafers:{0}:supply:micron", {"__data__": "x"})
        assert connected["ledger"].xlen("wafers:{0}:supply:skhynix") == 0
        with pytest.raises(RedisError):
            retired.xadd("wafers:{0}:supply:skhynix", {"__data__": "x"})
        with pytest.raises(AuthenticationError):
            log_in("supplier-skhynix").ping()


def test_a_password_lets_in_one_user_alone(deployed: Deployment) -> None:
    password = (deployed.secrets / "redis-supplier-samsung").read_text()

    for user in USERS:
        with Redis(port=deployed.port, username=user, password=password, retry=None) as redis:
            if user == "supplier-samsung":
                assert redis.ping()
            else:
                with pytest.raises(AuthenticationError):
                    redis.ping()
