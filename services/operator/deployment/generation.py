"""Files of a deployment that follow from its programme: containers, addresses and scrape targets of its parties.

docker-compose.yml has the services that every deployment has; `docker compose` merges the generated file with it.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from services.operator.stack.errors import StackError
from services.operator.stack.new_file import replace_file
from shared.programme.programme_file import ProgrammeFile
from shared.wire.streams import Role

SERVICES = ("ledger", "aggregator", "console")
_HTTP_PORT = 8100
_FIRST_PORT = 8111
_PORT_MAX = 65_535
_HEADER = "# Written by `waferline deployment` from programme.yaml: change that, and write it anew.\n"


class DeployedParty(NamedTuple):
    """A party and its place in a deployment."""

    role: Role
    source: str
    port: int  # of the host

    @property
    def name(self) -> str:
        """The name of its container, its user of Redis and its certificate."""
        return f"{self.role}-{self.source}"

    @property
    def port_setting(self) -> str:
        """The variable that gives it another port of the host."""
        return f"WAFERLINE_{re.sub('[^A-Z0-9]', '_', self.source.upper())}_PORT"


def write_deployment(
    programme: ProgrammeFile, text: str, folder: Path, place: str, *, notifier: bool = False
) -> list[Path]:
    """Write the files of a programme into a folder; return the ones that are new or changed.

    `place` is the folder as docker-compose.yml sees it. A party keeps the port that it had when the files were written
    before. With `notifier` one runs, too: it is asked for its health and its metrics.
    """
    ports = folder / "ports.json"
    kept: dict[str, int] = json.loads(ports.read_text()) if ports.exists() else {}
    parties = place_parties(programme, kept)
    kept |= {party.name: party.port for party in parties}
    names = [*(["notifier"] if notifier else []), *(party.name for party in parties)]
    files = {
        "programme.yaml": text,
        "ports.json": json.dumps(kept, indent=1) + "\n",
        "compose.yml": compose_file(parties, place),
        "tls.yml": tls_file(parties),
        "parties.json": parties_file(parties),
        "stack.json": stack_file(names, "http", "redis"),
        "stack-tls.json": stack_file(names, "https", "rediss"),
        "targets.json": targets_file(names),
    }
    (folder / "profiles").mkdir(parents=True, exist_ok=True)  # of partners, for their sheets
    changed = [folder / name for name, content in files.items() if not _holds(folder / name, content)]
    for path in changed:
        replace_file(path, files[path.name])
    return changed


def _holds(path: Path, content: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == content


def place_parties(programme: ProgrammeFile, kept: Mapping[str, int]) -> list[DeployedParty]:
    """Return the parties, each with the port that it had before, or else the first free one, in the file's order."""
    taken = set(kept.values())
    free = (port for port in range(_FIRST_PORT, _PORT_MAX) if port not in taken)
    parties = []
    for role, source in programme.parties.sources():
        port = kept.get(f"{role}-{source}")
        parties.append(DeployedParty(role, source, next(free) if port is None else port))
    settings = [party.port_setting for party in parties]
    for setting in settings:
        if settings.count(setting) > 1:
            raise StackError(f"two parties would share {setting}: give one of them another name")
    return parties


def compose_file(parties: list[DeployedParty], place: str) -> str:
    """Return the compose file that adds the parties to docker-compose.yml."""
    return "".join(
        (
            _HEADER,
            _SHARED.format(place=place),
            *(_party(party, place) for party in parties),
            "\nvolumes:\n",
            *(f"  {party.name}: {{}}\n" for party in parties),
            "\nsecrets:\n",
            *(_SECRET_FILE.format(name=f"redis-{party.name}", file=f"redis-{party.name}") for party in parties),
        )
    )


def _party(party: DeployedParty, place: str) -> str:
    text = _PARTY.format(party=party, place=place)
    if party.role != "planner":
        return text
    return text.replace("    secrets:", "      WAFERLINE_PROGRAMME: /etc/waferline/programme.yaml\n    secrets:")


def tls_file(parties: list[DeployedParty]) -> str:
    """Return the compose file that has the parties speak TLS, as deploy/tls.yml has all other services."""
    names = [f"{party.name}.{end}" for party in parties for end in ("crt", "key")]
    return "".join(
        (
            _HEADER,
            _TLS_SHARED,
            *(_TLS_PARTY.format(name=party.name) for party in parties),
            "\nsecrets:\n",
            *(_SECRET_FILE.format(name=f"tls-{name}", file=f"tls/{name}") for name in names),
        )
    )


def parties_file(parties: list[DeployedParty]) -> str:
    """Return the sources by role; the running services read this file again when it changes."""
    roles: tuple[Role, ...] = ("supplier", "datacenter", "planner")
    sources = {f"{role}s": [party.source for party in parties if party.role == role] for role in roles}
    return json.dumps(sources, indent=1) + "\n"


def stack_file(names: list[str], scheme: str, redis_scheme: str) -> str:
    """Return the description of the stack for the command line inside the deployment, and for the console."""
    services = {name: f"{scheme}://{name}:{_HTTP_PORT}" for name in (*SERVICES, *names)}
    return json.dumps({"redis_url": f"{redis_scheme}://redis:6379/0", "services": services}, indent=2) + "\n"


def targets_file(names: list[str]) -> str:
    """Return the parties, and the notifier, as scrape targets; Prometheus reads this file again when it changes."""
    return json.dumps([{"targets": [f"{name}:{_HTTP_PORT}" for name in names]}], indent=2) + "\n"


_SHARED = """\

x-confined: &confined
  restart: unless-stopped
  read_only: true
  tmpfs: [/tmp]
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  pids_limit: 200
  stop_grace_period: 30s
  logging:
    driver: json-file
    options: {{max-size: 20m, max-file: "5"}}

x-party: &party
  WAFERLINE_REDIS_URL: redis://redis:6379/0
  WAFERLINE_HTTP_TOKENS_FILE: /run/secrets/tokens
  WAFERLINE_HTTP_HOSTS: ${{WAFERLINE_HTTP_HOSTS:-}}
  WAFERLINE_LEDGER_URL: http://ledger:8100
  WAFERLINE_PARTIES_FILE: /etc/waferline/parties.json
  WAFERLINE_PROFILES: /etc/waferline/profiles
  # empty: the parties take events over HTTP; with a scenario they play it (`make demo-compose`)
  WAFERLINE_SCENARIO: ${{WAFERLINE_SCENARIO:-}}
  WAFERLINE_VARIANT: ${{WAFERLINE_VARIANT:-}}
  WAFERLINE_SEED: ${{WAFERLINE_SEED:-}}
  WAFERLINE_UNTIL: ${{WAFERLINE_UNTIL:-}}
  WAFERLINE_PACE_S: ${{WAFERLINE_PACE_S:-}}
  WAFERLINE_NAMES_MAX: ${{WAFERLINE_NAMES_MAX:-}}
  WAFERLINE_OUTBOX_DIR: /var/lib/waferline

x-when-recorded: &when-recorded
  redis: {{condition: service_healthy}}
  ledger: {{condition: service_healthy}}

services:
  # mounted as a folder, so that a running container sees the files as they are written anew
  ledger:
    environment:
      WAFERLINE_PARTIES_FILE: /etc/waferline/parties.json
    volumes: ["{place}:/etc/waferline:ro"]

  # its page of health, and its page that imports sheets, ask the parties
  console:
    environment:
      WAFERLINE_SERVICES_FILE: /etc/waferline/stack.json
    volumes: ["{place}:/etc/waferline:ro"]

  operator:
    volumes: ["{place}:/etc/waferline:ro"]

  demo:
    volumes: ["{place}:/etc/waferline:ro"]

  prometheus:
    volumes: ["{place}:/etc/waferline:ro"]
"""
_PARTY = """\

  {party.name}:
    <<: *confined
    image: waferline/{party.role}:${{WAFERLINE_VERSION:-0.1.0}}
    environment:
      <<: *party
      WAFERLINE_SOURCE: {party.source}
      WAFERLINE_REDIS_USER: {party.name}
      WAFERLINE_REDIS_PASSWORD_FILE: /run/secrets/redis-{party.name}
    secrets: [tokens, redis-{party.name}]
    networks: [streams, http]
    ports: ["127.0.0.1:${{{party.port_setting}:-{party.port}}}:8100"]
    mem_limit: ${{WAFERLINE_PARTY_MEMORY:-512m}}
    depends_on: *when-recorded
    volumes:
      - {party.name}:/var/lib/waferline
      - {place}:/etc/waferline:ro
"""
_SECRET_FILE = """  {name}: {{file: "${{WAFERLINE_SECRETS:-./deploy/secrets}}/{file}"}}\n"""  # noqa: S105 (a file's place)
_TLS_SHARED = """\

x-tls: &tls
  WAFERLINE_TLS_CA_FILE: /run/secrets/tls/ca.crt
  WAFERLINE_TLS_CERT_FILE: /run/secrets/tls/own.crt
  WAFERLINE_TLS_KEY_FILE: /run/secrets/tls/own.key
  WAFERLINE_LEDGER_URL: https://ledger:8100

services:
  console:
    environment:
      WAFERLINE_SERVICES_FILE: /etc/waferline/stack-tls.json
"""
_TLS_PARTY = """\

  {name}:
    environment:
      <<: *tls
    secrets:
      - {{source: tls-ca.crt, target: tls/ca.crt}}
      - {{source: tls-{name}.crt, target: tls/own.crt}}
      - {{source: tls-{name}.key, target: tls/own.key}}
"""
