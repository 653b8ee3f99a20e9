import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pytest

from shared.process.healthcheck import find_fault


class _Health(BaseHTTPRequestHandler):
    well = True

    def do_GET(self) -> None:
        self.send_response(200 if self.well and self.path == "/health" else 503)
        self.end_headers()
        self.wfile.write(b'{"well":false}')

    def log_message(self, *_: object) -> None:
        pass


class _Unwell(_Health):
    well = False


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[ThreadingHTTPServer]:
    """A server whose handler a test names."""
    with ThreadingHTTPServer(("127.0.0.1", 0), request.param) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate that names a service, signed by itself; its key is beside it."""
    path = tmp_path / "ledger.crt"
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
        "-subj", "/CN=ledger", "-keyout", str(path.with_suffix(".key")), "-out", str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return path


def _settings(server: ThreadingHTTPServer, **others: str) -> dict[str, str]:
    return {"WAFERLINE_HTTP_HOST": "0.0.0.0", "WAFERLINE_HTTP_PORT": str(server.server_port), **others}  # noqa: S104


def _serve_tls(server: ThreadingHTTPServer, certificate: Path) -> None:
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)


@pytest.mark.parametrize("server", [_Health], indirect=True)
def test_a_service_that_is_well_is_well(server: ThreadingHTTPServer) -> None:
    assert find_fault(_settings(server)) is None


@pytest.mark.parametrize("server", [_Unwell], indirect=True)
def test_what_the_service_says_of_itself_is_told(server: ThreadingHTTPServer) -> None:
    assert find_fault(_settings(server)) == '503: {"well":false}'


def test_a_service_that_serves_nothing_is_not_well() -> None:
    assert "no WAFERLINE_HTTP_PORT" in (find_fault({}) or "")


@pytest.mark.parametrize("server", [_Health], indirect=True)
def test_a_service_with_a_certificate_is_asked_by_https(server: ThreadingHTTPServer, certificate: Path) -> None:
    _serve_tls(server, certificate)

    answer = find_fault(
        _settings(server, WAFERLINE_TLS_CERT_FILE=str(certificate), WAFERLINE_TLS_CA_FILE=str(certificate))
    )

    assert answer is None


@pytest.mark.parametrize("server", [_Health], indirect=True)
def test_a_certificate_that_nobody_signed_whom_we_know_is_told(server: ThreadingHTTPServer, certificate: Path) -> None:
    _serve_tls(server, certificate)

    answer = find_fault(_settings(server, WAFERLINE_TLS_CERT_FILE=str(certificate)))

    assert "CERTIFICATE_VERIFY_FAILED" in (answer or "")
