"""A real SMTP server and an HTTP sink on loopback, which count what comes by its Message-ID or Idempotency-Key."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller

from services.operator.stack.machine.ports import free_ports


class Receivers(NamedTuple):
    """The counts of both, and their addresses as Apprise takes them."""

    mails: Counter[str]  # by Message-ID
    posts: Counter[str]  # by Idempotency-Key
    bodies: list[str]
    mail_url: str
    post_url: str


class _Mails:
    def __init__(self, mails: Counter[str], bodies: list[str]) -> None:
        self.mails, self.bodies = mails, bodies

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:  # noqa: N802 (the library calls it)
        mail = message_from_bytes(envelope.content)
        ids = mail.get_all("Message-ID")
        assert len(ids) == 1, ids
        self.mails[ids[0]] += 1
        self.bodies.append(f"{mail['Subject']}\n{mail.get_payload()}")
        return "250 taken"


@contextmanager
def receivers(status: int = 200) -> Iterator[Receivers]:
    """Run both until the end."""
    mails, posts, bodies = Counter[str](), Counter[str](), list[str]()

    class Posts(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if status == 200:
                posts[self.headers["Idempotency-Key"]] += 1
                bodies.append(body.decode())
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    [port] = free_ports(1)
    smtp = Controller(_Mails(mails, bodies), hostname="127.0.0.1", port=port)
    smtp.start()
    http = ThreadingHTTPServer(("127.0.0.1", 0), Posts)
    Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield Receivers(
            mails, posts, bodies,
            f"mailto://127.0.0.1:{port}?smtp=127.0.0.1&from=waferline@example.com&to=team@example.com&mode=insecure",
            f"json://127.0.0.1:{http.server_port}/hook",
        )  # fmt: skip
    finally:
        http.shutdown()
        http.server_close()
        smtp.stop()
