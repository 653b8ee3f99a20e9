"""HTTPS between services: verified by the CA that is named, and by no other; a real server, real sockets."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from shared.http.access import digest_of
from shared.http.peers import expect_access, read_caller
from shared.process.credentials import CredentialsError
from shared.process.settings import ServiceSettings
from shared.service.health import HealthMonitor
from shared.service.service import Service
from testing.servers.certificates import Authority
from testing.servers.served import free_port, served

TOKEN = "metrics-token"  # noqa: S105 (of this test alone)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def url(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where a service answers HTTPS, and /metrics to one token."""
    (tmp_path / "tokens").write_text(f"watcher metrics {digest_of(TOKEN)}\n")
    certificate, key = authority.sign("127.0.0.1")

    async def no_lags(self: Service) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(HealthMonitor, "lags", no_lags)  # there is no Redis
    settings = ServiceSettings(
        http_port=free_port(), http_tokens_file=tmp_path / "tokens", tls_cert_file=certificate, tls_key_file=key
    )
    with served(lambda: Service("ledger", settings)) as place:
        yield place


def get(url: str, settings: ServiceSettings) -> httpx.Response:
    headers, verify = read_caller(settings)
    if isinstance(verify, ssl.SSLContext):
        verify.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 does
    with httpx.Client(headers=headers, verify=verify) as client:
        return client.get(url + "/metrics")


def test_who_trusts_the_ca_and_has_the_token_is_answered(url: str, authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")

    answer = get(url, ServiceSettings(token_file=tmp_path / "token", tls_ca_file=authority.path))

    assert url.startswith("https://")
    assert answer.status_code == 200
    assert "waferline_access_refused" in answer.text


def test_who_trusts_another_ca_does_not_ask(url: str, tmp_path: Path) -> None:
    for settings in (ServiceSettings(tls_ca_file=Authority(tmp_path, "other").path), ServiceSettings()):
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            get(url, settings)


def test_a_certificate_of_another_name_is_not_believed(url: str, authority: Authority) -> None:
    with pytest.raises(httpx.ConnectError, match="Hostname mismatch"):
        get(url.replace("127.0.0.1", "localhost"), ServiceSettings(tls_ca_file=authority.path))


def test_plain_http_is_not_answered(url: str) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(url.replace("https://", "http://") + "/health")


@pytest.mark.parametrize(
    ("version", "spoken"),
    [(ssl.TLSVersion.TLSv1_1, None), (ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_before_1_2_is_not_spoken(version: ssl.TLSVersion, spoken: str | None, url: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # it is the server that has to say no
    context.minimum_version = context.maximum_version = version
    place = urlsplit(url)

    found = None
    plain = socket.create_connection((place.hostname, place.port), timeout=5)
    with plain, suppress(ssl.SSLError), context.wrap_socket(plain) as secured:
        found = secured.version()

    assert found == spoken


def test_a_refusal_is_told_with_what_is_missing_and_where_it_comes_from(url: str, authority: Authority) -> None:
    answer = get(url, ServiceSettings(tls_ca_file=authority.path))

    with pytest.raises(CredentialsError) as refused:
        expect_access(answer, url)

    assert str(refused.value).startswith(f"{url} refuses: this needs a token with the scope metrics. ")
    assert "WAFERLINE_TOKEN_FILE" in str(refused.value)
    assert "waferline secrets" in str(refused.value)


def test_a_proxy_that_refuses_in_its_own_words_is_told_too() -> None:
    with pytest.raises(CredentialsError, match="refuses: HTTP 403"):
        expect_access(httpx.Response(403, content=b"<html>no</html>"), "https://proxy")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"tls_cert_file": "x.crt"}, "name the other one"),
        ({"tls_key_file": "x.key"}, "name the other one"),
        ({"tls_cert_file": "no.crt", "tls_key_file": "no.key"}, "no.crt and no.key are no certificate and its key (No"),
        ({"tls_cert_file": "ca.crt", "tls_key_file": "other.key"}, "ca.crt and other.key"),
    ],
)
def test_a_service_does_not_start_with_half_a_certificate(
    settings: dict[str, str], said: str, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.sign("other")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(CredentialsError) as refused:
        Service("ledger", ServiceSettings.model_validate(settings))

    assert said in str(refused.value)
    assert "WAFERLINE_TLS_KEY_FILE" in str(refused.value)


@pytest.mark.parametrize(
    ("field", "content", "said"),
    [
        ("token_file", None, "or repair WAFERLINE_TOKEN_FILE"),
        ("token_file", "two words", "holds no token"),
        ("token_file", "", "is empty"),
        ("token_file", "line\nline", "holds no token"),
        ("tls_ca_file", None, "(No such file or directory): repair WAFERLINE_TLS_CA_FILE"),
        ("tls_ca_file", "nothing", "repair WAFERLINE_TLS_CA_FILE"),
    ],
)
def test_what_a_caller_cannot_use_is_named(field: str, content: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    if content is not None:
        path.write_text(content)

    with pytest.raises(CredentialsError) as refused:
        read_caller(ServiceSettings.model_validate({field: path}))

    assert str(refused.value).startswith(str(path))
    assert said in str(refused.value)
