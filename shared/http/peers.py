"""Connections between services over HTTP: the caller's token and trusted CA, and the server's certificate."""

import ssl
from typing import NamedTuple, Protocol
from urllib.parse import quote

import orjson

from shared.process.credentials import CredentialsError, read_ca, read_token
from shared.process.settings import ServiceSettings

_REFUSALS = (401, 403)


class Caller(NamedTuple):
    """A caller's options for its HTTP client."""

    headers: dict[str, str]
    verify: ssl.SSLContext | bool


ANONYMOUS = Caller({}, verify=True)  # no token, and the public CAs


class HttpResponse(Protocol):
    """The parts of an HTTP client's response that are read here."""

    @property
    def status_code(self) -> int: ...

    @property
    def content(self) -> bytes: ...


PAST_WAITS = 4  # a query of the past waits so many times as long: its state may have to be folded first


def path_of(*names: str) -> str:
    """Return the path of some names, each one step of it: an HTTP client would climb at a bare `..`."""
    steps = (name.replace(".", "%2E") if name in (".", "..") else quote(name, safe="") for name in names)
    return "".join(f"/{step}" for step in steps)


def read_caller(settings: ServiceSettings) -> Caller:
    """Return the caller of the settings: its token and its CA."""
    caller = ANONYMOUS
    if settings.token_file is not None:
        caller = caller._replace(headers={"Authorization": f"Bearer {read_token(settings.token_file)}"})
    if settings.tls_ca_file is not None:
        trusted = ssl.create_default_context(cafile=read_ca(settings.tls_ca_file))
        trusted.minimum_version = ssl.TLSVersion.TLSv1_2
        caller = caller._replace(verify=trusted)
    return caller


def expect_access(response: HttpResponse, peer: str) -> None:
    """Raise `CredentialsError` where a peer refuses our token, with its reason and the remedy."""
    if response.status_code in _REFUSALS:
        try:
            reason = orjson.loads(response.content)["detail"]
        except (ValueError, LookupError, TypeError):  # a proxy between us answers in its own words
            reason = f"HTTP {response.status_code}"
        raise CredentialsError(
            f"{peer} refuses: {reason}. Name the file of such a token in WAFERLINE_TOKEN_FILE; `waferline secrets`"
            " makes them (docs/deployment.md: Tokens)"
        )


def read_certificate(settings: ServiceSettings) -> ssl.SSLContext | None:
    """Return the TLS context of a service, TLS 1.2 or later; None where the settings name no certificate."""
    certificate, key = settings.tls_cert_file, settings.tls_key_file
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise CredentialsError(
            "HTTPS needs both WAFERLINE_TLS_CERT_FILE and WAFERLINE_TLS_KEY_FILE: name the other one, too"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except OSError as why:  # it names no file
        raise CredentialsError(
            f"{certificate} and {key} are no certificate and its key ({why.strerror or why}): repair"
            " WAFERLINE_TLS_CERT_FILE and WAFERLINE_TLS_KEY_FILE"
        ) from why
    return context
