"""Who may do what to which stream in Redis: the users of a deployment, each with no more than its service sends."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import chain
from typing import Literal, NamedTuple

from shared.wire.streams import ALERTS, BALANCES, POSTINGS, Role, party_stream, recorded_stream

# a name stands in a pattern of Redis, in a line and in a path: `*`, a blank or a slash would mean more there
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}").fullmatch
# a reader goes on behind an entry, and asks for the last one to know how far it is behind
_READ = ("xread", "xrevrange")


class Grant(NamedTuple):
    """What may be done to some streams."""

    right: Literal["R", "W"]
    streams: Sequence[str]
    commands: Sequence[str]

    def selector(self) -> str:
        """Return it as a selector of Redis 7: its commands on its streams, and neither on or with anything else."""
        keys = (f"%{self.right}~{stream}" for stream in self.streams)
        return f"({' '.join([*keys, '-@all', *(f'+{command}' for command in self.commands)])})"


class User(NamedTuple):
    """A user of Redis; it is named as the service that is let in under it."""

    name: str
    grants: Sequence[Grant]

    def rules(self) -> list[str]:
        """Return its rights, as ACL SETUSER takes them and as they stand in an ACL file."""
        # No +client|setinfo, with which clients introduce themselves: Redis 7.0 does not know it, and would not start
        return ["resetchannels", "-@all", "+ping", *(grant.selector() for grant in self.grants)]

    def streams(self) -> list[str]:
        """Return every stream that it may touch at all."""
        return sorted({*chain.from_iterable(grant.streams for grant in self.grants)})


def users(suppliers: Sequence[str], datacenters: Sequence[str], *, playing: bool = False) -> list[User]:
    """Return the users of a deployment with these parties; raise `ValueError` for a name that no user can have.

    Where they are `playing`, that is, simulate, each party hears what the parties of the other side say.
    """
    roles: dict[Role, Sequence[str]] = {"supplier": suppliers, "datacenter": datacenters}
    for name in (*suppliers, *datacenters):
        if not _NAME(name):
            raise ValueError(f"{name!r} cannot be a user of Redis: letters, digits, '.', '_' and '-', 64 at the most")
    spoken = {role: [party_stream(role, source) for source in sources] for role, sources in roles.items()}
    input_ = [*spoken["supplier"], *spoken["datacenter"]]
    verdicts = [recorded_stream(source) for sources in roles.values() for source in sources]
    others = {"supplier": spoken["datacenter"], "datacenter": spoken["supplier"]}
    return [
        User(
            "ledger",
            (
                # and looks back whether the entry read last is still there
                Grant("R", input_, (*_READ, "xrange", "xlen")),
                Grant("R", [POSTINGS], ("xrevrange",)),
                Grant("W", [*verdicts, POSTINGS], ("xadd",)),
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
        User("console", (Grant("R", [BALANCES, ALERTS], _READ),)),
        *(
            User(
                f"{role}-{source}",
                (
                    Grant("R", [recorded_stream(source), *(others[role] if playing else ())], _READ),
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
                    [*input_, *verdicts, POSTINGS, BALANCES, ALERTS],
                    (*_READ, "xrange", "xlen", "xinfo|stream"),
                ),
            ),
        ),
        User("health", ()),
    ]


def acl_file(everybody: Sequence[User], passwords: Mapping[str, str]) -> str:
    """Return the ACL file that lets in these users, each with its password, and nobody without a name."""
    lines = [
        f"user {user.name} on #{sha256(passwords[user.name].encode()).hexdigest()} {' '.join(user.rules())}"
        for user in everybody
    ]
    return "\n".join(["user default reset", *lines, ""])
