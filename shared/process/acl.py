"""Redis ACL of a deployment: its users, each with the commands and streams that its service needs and no others."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import chain
from typing import Literal, NamedTuple

from shared.wire.streams import ALERTS, BALANCES, POSTINGS, Role, party_stream, recorded_stream

_ANY = "*"  # every source, as a pattern

# a name is part of a Redis pattern, of a line and of a path, where `*`, a blank or a slash has a meaning of its own
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}").fullmatch
# a reader reads on behind an entry, and fetches the last one to measure its lag
_READ = ("xread", "xrevrange")
_READERS = {"console": [BALANCES, ALERTS], "notifier": [ALERTS]}


class Grant(NamedTuple):
    """Commands allowed on some streams."""

    right: Literal["R", "W"]
    streams: Sequence[str]
    commands: Sequence[str]

    def selector(self) -> str:
        """Return the grant as a selector of Redis 7: its commands on its streams, and nothing else."""
        keys = (f"%{self.right}~{stream}" for stream in self.streams)
        return f"({' '.join([*keys, '-@all', *(f'+{command}' for command in self.commands)])})"


class User(NamedTuple):
    """A user of Redis, named for the service that logs in as it."""

    name: str
    grants: Sequence[Grant]
    commands: Sequence[str] = ()  # beside PING, on no stream

    def rules(self) -> list[str]:
        """Return the user's rights in the syntax of ACL SETUSER and of an ACL file."""
        # No +client|setinfo, with which clients introduce themselves: Redis 7.0 does not know it, and would not start
        commands = (f"+{command}" for command in ("ping", *self.commands))
        return ["resetchannels", "-@all", *commands, *(grant.selector() for grant in self.grants)]

    def streams(self) -> list[str]:
        """Return every stream, or pattern of streams, on which the user has a grant."""
        return sorted({*chain.from_iterable(grant.streams for grant in self.grants)})


def users(
    suppliers: Sequence[str],
    datacenters: Sequence[str],
    planners: Sequence[str] = (),
    *,
    playing: bool = False,
) -> list[User]:
    """Return the users of a deployment with these parties; raise `ValueError` for a name that no user can have.

    The rights of a service hold for every party, so that a party that is added or retired changes no rights of another
    user, and a running Redis takes the new users with ACL LOAD. Each party reads the planners' streams: its door
    refuses a product that is not declared. With `playing`, the parties simulate: each also reads the streams of the
    other side, and a planner those of the sites.
    """
    roles: dict[Role, Sequence[str]] = {"supplier": suppliers, "datacenter": datacenters, "planner": planners}
    wrong = [name for name in (*suppliers, *datacenters, *planners) if not _NAME(name)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} cannot be a user of Redis: letters, digits, '.', '_' and '-', 64 at the most")
    input_ = [party_stream(role, _ANY) for role in roles]
    verdicts = recorded_stream(_ANY)
    plans = party_stream("planner", _ANY)
    sites, supply = [party_stream("datacenter", _ANY)], [party_stream("supplier", _ANY)]
    others = {"supplier": sites, "datacenter": supply, "planner": sites}
    return [
        User(
            "ledger",
            (
                # xrange: the ledger checks that the entry it read last still exists
                Grant("R", input_, (*_READ, "xrange", "xlen")),
                Grant("R", [POSTINGS], ("xrevrange",)),
                Grant("W", [verdicts, POSTINGS], ("xadd",)),
            ),
        ),
        User(
            "aggregator",
            (
                Grant("R", [POSTINGS], _READ),
                Grant("R", [ALERTS], ("xrange",)),
                Grant("W", [BALANCES, ALERTS], ("xadd",)),
            ),
        ),
        *(User(name, (Grant("R", read, _READ),)) for name, read in _READERS.items()),
        *(
            User(
                f"{role}-{source}",
                (
                    Grant("R", [recorded_stream(source), plans, *(others.get(role, ()) if playing else ())], _READ),
                    Grant("W", [party_stream(role, source)], ("xadd",)),
                ),
            )
            for role, sources in roles.items()
            for source in sources
        ),
        User(
            "operator",
            (
                Grant(
                    "R",
                    [*input_, verdicts, POSTINGS, BALANCES, ALERTS],
                    (*_READ, "xrange", "xlen", "xinfo|stream"),
                ),
            ),
        ),
        User("health", (), ("acl|load",)),
    ]


def acl_file(all_users: Sequence[User], passwords: Mapping[str, str]) -> str:
    """Return the ACL file of these users, each with its password; the default user is off."""
    lines = [
        f"user {user.name} on #{sha256(passwords[user.name].encode()).hexdigest()} {' '.join(user.rules())}"
        for user in all_users
    ]
    return "\n".join(["user default reset", *lines, ""])
