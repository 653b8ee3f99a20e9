"""Connections over HTTP, bounded in number and in the time that a caller may take."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from shared.http.problem import TOO_SLOW, problem
from shared.process.settings import ServiceSettings


class BoundedConnection(H11Protocol):
    """A connection that ends where a request's head, or the caller's reading of an answer, takes too long.

    With `connections_max` open, a new one takes the place of the one that has waited longest for the rest of a
    request: so a crowd of unfinished requests keeps nobody out. One that waits for an answer is never ended for it.
    """

    def __init__(self, *args: Any, bounds: ServiceSettings, **options: Any) -> None:
        super().__init__(*args, **options)
        self.bounds = bounds
        self.waiting_since: float | None = None  # for the head of a request, or the rest of its body
        self._has_answered = False
        self._ends_head: asyncio.TimerHandle | None = None
        self._ends_answer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.waiting_since = self.loop.time()
        self._await_head()
        if len(self.connections) > self.bounds.connections_max:
            every = (each for each in self.connections if isinstance(each, BoundedConnection))
            waiting = [each for each in every if each.waiting_since is not None]
            oldest = min(waiting, key=lambda each: each.waiting_since or 0)
            self.connections.discard(oldest)
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._ends_head, self._ends_answer):
            if timer is not None:
                timer.cancel()
        self._ends_head = self._ends_answer = None
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        has_head = self.cycle is not None and not self.cycle.response_complete
        if has_head and self._ends_head is not None:
            self._ends_head.cancel()
            self._ends_head = None
        if self.conn.their_state is h11.SEND_BODY or not has_head:
            self.waiting_since = self.waiting_since or self.loop.time()
        else:
            self.waiting_since = None

    def on_response_complete(self) -> None:
        self._has_answered = True
        self.waiting_since = self.loop.time()
        self._await_head()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._ends_answer is None:
            self._await_reading()

    def resume_writing(self) -> None:
        if self._ends_answer is not None:
            self._ends_answer.cancel()
            self._ends_answer = None
        super().resume_writing()

    def _await_reading(self) -> None:
        unread = self.transport.get_write_buffer_size()
        self._ends_answer = self.loop.call_later(self.bounds.answer_timeout_s, self._end_answer, unread)

    def _end_answer(self, unread_before: int) -> None:
        """End a connection on which the caller has read nothing; a slow one that reads on goes on."""
        self._ends_answer = None
        if self.transport.get_write_buffer_size() < unread_before:
            self._await_reading()
        else:
            self.transport.abort()

    def _await_head(self) -> None:
        if self._ends_head is None:
            self._ends_head = self.loop.call_later(self.bounds.head_timeout_s, self._end_head)

    def _end_head(self) -> None:
        """Close a connection without a request; say why where no answer was sent before."""
        self._ends_head = None
        if self.transport.is_closing():
            return
        if not self._has_answered:
            detail = (
                f"the head of the request has not arrived within {self.bounds.head_timeout_s:g} s"
                " (WAFERLINE_HEAD_TIMEOUT_S): send it at once"
            )
            body = bytes(problem(TOO_SLOW, detail).body)
            head = (
                "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/problem+json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
