"""How services meet over HTTP: the token and the trust of who asks, and the certificate of who answers."""

import ssl
from typing import NamedTuple, Protocol

import orjson

from shared.process.credentials import CredentialsError, read_ca, read_token
from shared.process.settings import ServiceSettings

_REFUSALS = (401, 403)


class Caller(NamedTuple):
    """What whoever asks a service gives to its HTTP client."""

    headers: dict[str, str]
    verify: ssl.SSLContext | bool


NOBODY = Caller({}, verify=True)  # who has no token, and trusts the CAs that everybody trusts


class Answered(Protocol):
    """An answer, as an HTTP client gives it."""

    @property
    def status_code(self) -> int: ...

    @property
    def content(self) -> bytes: ...


def read_caller(settings: ServiceSettings) -> Caller:
    """Return the token to send and the CA to trust, as the settings say."""
    caller = NOBODY
    if settings.token_file is not None:
        caller = caller._replace(headers={"Authorization": f"Bearer {read_token(settings.token_file)}"})
    if settings.tls_ca_file is not None:
        trusted = ssl.create_default_context(cafile=read_ca(settings.tls_ca_file))
        trusted.minimum_version = ssl.TLSVersion.TLSv1_2
        caller = caller._replace(verify=trusted)
    return caller


def expect_let_in(answer: Answered, peer: str) -> None:
    """Raise `CredentialsError` where a peer does not let us in, with what it says and where tokens come from."""
    if answer.status_code in _REFUSALS:
        try:
            said = orjson.loads(answer.content)["detail"]
        except (ValueError, LookupError, TypeError):  # a proxy between us answers in its own words
            said = f"HTTP {answer.status_code}"
        raise CredentialsError(
            f"{peer} refuses: {said}. Name the file of such a token in WAFERLINE_TOKEN_FILE; `waferline secrets` makes"
            " them (docs/deployment.md: Tokens)"
        )


def read_certificate(settings: ServiceSettings) -> ssl.SSLContext | None:
    """Return what a service answers HTTPS with, TLS 1.2 or later; None where it is to answer HTTP."""
    certificate, key = settings.tls_cert_file, settings.tls_key_file
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise CredentialsError(
            "HTTPS needs WAFERLINE_TLS_CERT_FILE and WAFERLINE_TLS_KEY_FILE: name the other one, too"
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
