"""Settings of every service; each has a default that works on a laptop."""

from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic.config import JsonDict
from pydantic_settings import BaseSettings, SettingsConfigDict

NEAR_LIMIT = 0.8  # of a bound on names: from here on it is logged

_REFUSED = "`waferline_requests_refused`"


def bound(default: float, description: str, *, reached: str, watched: str = "", least: float = 1) -> Any:
    """Return the field of a setting that bounds the work of a service: docs/limits.md lists it.

    `reached` is the answer at the bound, and `watched` the metric or log line that shows how near it is.
    """
    more: JsonDict = {"reached": reached, "watched": watched}
    return Field(default=default, ge=least, description=description, json_schema_extra=more)


class ServiceSettings(BaseSettings):
    """Settings that a service reads once, when it starts, from `WAFERLINE_` and the field's name in the environment."""

    model_config = SettingsConfigDict(env_prefix="WAFERLINE_", env_ignore_empty=True, frozen=True)

    redis_url: str = Field(
        default="redis://127.0.0.1:6379/0", description="the Redis server; with tls_ca_file, TLS is used"
    )
    redis_user: str | None = Field(default=None, description="Redis ACL user; unset: the default user")
    redis_password_file: Path | None = Field(default=None, description="the file with the user's password; unset: none")
    tls_ca_file: Path | None = Field(default=None, description="the CA of the peers' certificates; unset: no TLS")
    http_host: str = Field(
        default="127.0.0.1", description="the address to listen on; beyond loopback with tokens only"
    )
    http_port: int = Field(default=0, ge=0, le=65_535, description="the port to listen on; 0: no HTTP")
    http_tokens_file: Path | None = Field(
        default=None, description="the tokens that give access; unset: every process on this machine has it"
    )
    http_hosts: str = Field(
        default="",
        description="further names by which browsers may ask for it, separated by commas; without tokens a request for"
        " another host than 127.0.0.1, ::1, localhost and these is refused, and a page of another origin always is",
    )
    connections_max: int = bound(
        500,
        "open connections",
        reached="the one that has waited longest for the rest of a request is closed",
        watched="`waferline_http_connections`",
    )
    head_timeout_s: float = bound(
        10, "seconds for the head of a request", reached="408 `too-slow`, and the connection is closed", least=0.1
    )
    body_timeout_s: float = bound(
        30, "seconds for the body of a request", reached="408 `too-slow`", watched=_REFUSED, least=0.1
    )
    body_bytes_max: int = bound(1 << 20, "bytes of a request's body", reached="413 `too-long`", watched=_REFUSED)
    bodies_bytes_max: int = bound(
        32 << 20, "bytes of all bodies that are being read", reached="503 `busy`", watched=_REFUSED
    )
    answer_timeout_s: float = bound(
        30, "seconds for a caller to read on in its answer", reached="the connection is closed", least=0.1
    )
    token_file: Path | None = Field(default=None, description="the token to send to other services; unset: no token")
    tls_cert_file: Path | None = Field(default=None, description="the certificate for HTTPS; unset: HTTP")
    tls_key_file: Path | None = Field(default=None, description="the private key of tls_cert_file")
    read_bytes_max: int = bound(
        4 << 20,
        "bytes of a stream's entries in one read",
        reached="fewer entries a read; a longer entry comes alone",
        watched="`waferline_read_entries`",
    )
    answer_wait_s: float = bound(
        10,
        "seconds that the console and the command line wait for an answer, four times as long for one of the past",
        reached="the page, or the command, says which service does not answer",
        least=0.1,
    )
    silence_max_s: float = Field(default=30, gt=0, description="seconds that an entry may wait before health fails")
