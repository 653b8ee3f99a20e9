"""The scripts of backup and restore know the services and the streams of every role."""

from pathlib import Path
from typing import get_args

from shared.wire.streams import Role, party_stream

DEPLOY = Path(__file__).parents[2] / "deploy"
ROLES: tuple[Role, ...] = get_args(Role)


def test_the_outbox_of_each_role_is_in_a_backup_and_put_back() -> None:
    services = f"'^({'|'.join(ROLES)})-'"

    assert services in (DEPLOY / "backup.sh").read_text()
    assert services in (DEPLOY / "restore.sh").read_text()


def test_an_older_backup_leaves_the_streams_of_all_parties_in_redis() -> None:
    kinds = [party_stream(role, "x").split(":")[2] for role in ROLES]

    assert f'":({"|".join(kinds)}):"' in (DEPLOY / "restore.sh").read_text()
