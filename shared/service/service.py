"""How a service reads streams, publishes, serves HTTP and stops: whatever fails stops the process, loudly."""

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import orjson
import uvicorn
import uvloop
from faststream import BaseMiddleware, StreamMessage
from faststream.redis import RedisBroker, StreamSub
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, generate_latest
from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.http.access import METRICS, OPEN, Access, ScopedRoute
from shared.http.answering import JSON, About, DescribedRoute
from shared.http.openapi import describe
from shared.http.peers import read_certificate
from shared.http.problem import tell_failure
from shared.http.query import Query
from shared.process.credentials import redis_address, refused
from shared.process.log import Tally, open_log, why
from shared.process.settings import ServiceSettings
from shared.wire.streams import DATA

Entry = tuple[str, bytes]  # id, body
Read = Callable[[list[Entry]], Awaitable[None]]
Task = Callable[[], Coroutine[Any, Any, None]]

HEARTBEAT_S = 10.0
TIMES_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)  # that are told apart
SILENT_MAX_S = 3.0  # of a connection; a reader's wait of 1 s is part of it
_POLL_MS = 1000
_THREAD_TURN_S = 0.0005  # who waits for a thread in Python code: with the default of 5 ms, whoever asks waits longest
_FOUND_WITHIN_S = 5.0
_STOPPED_WITHIN_S = 5.0
_SCRAPED_WITHIN_S = 2.0  # whoever watches is not kept waiting by a Redis that is away
_RETRIED_AFTER_MAX_S = 0.5
_RETRIES = 8


class Reader:
    """One stream, as far as it has been read."""

    def __init__(self, stream: str, position: str, batch_max: int) -> None:
        self.stream = stream
        self.position = position
        self.batch_max = batch_max
        self.entries = 0
        self.progressed_at = time.monotonic()
        self.behind_since: float | None = None  # when it was first seen that an entry waits
        self.rewound = False
        self.seek: Callable[[str], None] = lambda _: None  # has the subscriber go on from there

    def begin_behind(self, position: str) -> None:
        """Have the stream read from behind an entry, before it is read at all."""
        self.position = position
        self.seek(position)

    def rewind(self) -> None:
        """Have the stream read from its beginning again."""
        self.position, self.rewound = "0-0", True
        self.seek(self.position)


class Health(NamedTuple):
    """Whether a service does its work, and if not, what is wrong."""

    well: bool
    detail: dict[str, Any]


class _Told(BaseModel):
    """Whether a service is well; whoever has a token is told more."""

    model_config = ConfigDict(extra="allow")

    well: bool


class _Document(BaseModel):
    """An OpenAPI document."""

    model_config = ConfigDict(extra="allow")

    openapi: Literal["3.1.0"]


_HEALTH = About("Whether the service does its work.", "", Query, _Told, also={503: "It does not."})
_METRICS = About("What Prometheus reads.", "", Query, None, "text/plain")
_DOCUMENT = About("This document.", "", Query, _Document)


class Service:
    """One process: readers of streams, tasks beside them, and HTTP, wired by `build_app` of the service."""

    def __init__(self, name: str, settings: ServiceSettings) -> None:
        self.name = name
        self.settings = settings
        self.log = open_log(name)
        self.tally = Tally(self.log)  # for what happens many times a second
        address = redis_address(settings)
        self.redis_place = address.url.rpartition("@")[2]
        # what reads and checks is ours: the framework's casting of arguments would cost more than the work
        self.broker = RedisBroker(
            address.url,
            **address.options,
            apply_types=False,
            # a connection that went silent is given up, and a short outage is waited out where it is met:
            # without a retry FastStream's reader pauses for 5 s, and a publisher stops its service
            socket_timeout=SILENT_MAX_S,
            socket_connect_timeout=SILENT_MAX_S,
            retry=Retry(ExponentialBackoff(cap=_RETRIED_AFTER_MAX_S, base=0.02), _RETRIES),
            logger=logging.getLogger("waferline.faststream"),
            log_level=logging.DEBUG,
            middlewares=[lambda message, context: _StopOnFailure(message, context=context, fail=self.fail)],
        )
        self.readers: list[Reader] = []
        self.at_start: list[Task] = []
        self.beside: list[Task] = []
        self.at_end: list[Callable[[], None]] = []
        self.routes: list[ScopedRoute] = [
            DescribedRoute("/health", self._answer_health, scope=OPEN, about=_HEALTH),
            DescribedRoute("/metrics", self._answer_metrics, scope=METRICS, about=_METRICS),
        ]
        self.middleware: list[Middleware] = []
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._redis_up = Gauge("waferline_redis_up", "Whether Redis answers", registry=self.registry)
        self._waiting_s = Gauge(
            "waferline_stream_waiting_seconds", "How long an entry waits", ["stream"], registry=self.registry
        )
        self.access = Access(settings, self.tally, self.registry)
        self.at_end.append(self.access.refusals.flush)
        self.certificate = read_certificate(settings)
        self.facts: Callable[[], dict[str, Any]] = dict
        self.stopping = asyncio.Event()
        self.failure: BaseException | None = None

    @property
    def redis(self) -> Redis:
        """The connection on which this service publishes."""
        return cast(Redis, self.broker.config.broker_config.connection.client)  # no cluster: we never ask for one

    def reads(self, stream: str, *, after: str, batch_max: int = 100) -> Callable[[Read], Read]:
        """Have a handler read a stream from behind the entry `after`, up to `batch_max` entries at a time.

        Plain XREAD, no consumer group: the reader's position is stored with what it did, so nothing is read
        twice and nothing is pending. A handler that raises stops the process.
        """
        reader = Reader(stream, after, batch_max)
        self.readers.append(reader)

        def subscribe(read: Read) -> Read:
            async def handle(entries: list[Entry]) -> None:
                await read(entries)
                if reader.rewound:  # this read may have begun before
                    reader.rewound = False
                    reader.seek(reader.position)
                else:
                    reader.position = entries[-1][0]
                reader.entries += len(entries)
                reader.progressed_at = time.monotonic()

            subscriber = self.broker.subscriber(
                stream=StreamSub(stream, last_id=after, batch=True, max_records=batch_max, polling_interval=_POLL_MS),
                parser=_parse,
                decoder=_decode,
            )
            subscriber(handle)
            reader.seek = partial(setattr, subscriber, "last_id")
            return read

        return subscribe

    def run_beside(self, task: Task) -> Task:
        """Have a task run beside the readers; if it raises, the process stops with it."""
        self.beside.append(task)
        return task

    def fail(self, failure: BaseException) -> None:
        """Stop the process because of a failure."""
        self.failure = self.failure or failure
        self.stopping.set()

    async def health(self) -> Health:
        """Return whether Redis answers and no entry has been waiting for too long."""
        detail: dict[str, Any] = {"service": self.name, **self.facts()}
        try:
            lags = await self.lags()
        except (OSError, RedisError) as failure:
            return Health(False, detail | {"redis": repr(failure)})
        waiting = self._waiting(lags)
        return Health(not waiting and self.failure is None, detail | {"streams": lags, "waiting": list(waiting)})

    def _waiting(self, lags: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return the streams on which an entry has been waiting for too long."""
        too_long_s = self.settings.silence_max_s
        return {stream: lag for stream, lag in lags.items() if lag["waiting_s"] > too_long_s}

    async def lags(self) -> dict[str, dict[str, Any]]:
        """Return for each stream its reader's position, how far it is behind, and the age of its last progress."""
        pipeline = self.redis.pipeline(transaction=False)
        for reader in self.readers:
            pipeline.xrevrange(reader.stream, count=1)
        lags = {}
        for reader, last in zip(self.readers, await pipeline.execute(), strict=True):
            end = last[0][0].decode() if last else "0-0"
            at, now = entry_order(reader.position), time.monotonic()
            behind = entry_order(end) > at
            reader.behind_since = (reader.behind_since or now) if behind else None
            lags[reader.stream] = {
                "position": reader.position,
                "end": end,
                "behind": behind,
                # ids are times, or an epoch and a batch: then the lag is 0 ms, and `behind` tells
                "lag_ms": max(0, entry_order(end)[0] - at[0]) if at[0] else 0,
                "entries": reader.entries,
                "age_s": round(now - reader.progressed_at, 3),
                "waiting_s": round(now - max(reader.behind_since, reader.progressed_at), 3)
                if reader.behind_since is not None
                else 0.0,
            }
        return lags

    async def _answer_health(self, request: Request) -> Response:
        health = await self.health()
        detail = health.detail if self.access.sees_health(request) else {}
        return JSONResponse({"well": health.well, **detail}, status_code=200 if health.well else 503)

    async def _answer_metrics(self, _: Request) -> Response:
        try:
            async with asyncio.timeout(_SCRAPED_WITHIN_S):
                lags = await self.lags()
        except (OSError, RedisError):  # a timeout is an OSError
            self._redis_up.set(0)
        else:
            self._redis_up.set(1)
            for stream, lag in lags.items():
                self._waiting_s.labels(stream).set(lag["waiting_s"])
        return Response(generate_latest(self.registry), media_type="text/plain; version=0.0.4")

    async def _say_alive(self) -> None:
        entries = 0
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                lags = await self.lags()
            except (OSError, RedisError) as failure:
                self.log.warning("redis_missed", reason=why(failure))
                continue  # a reader waits for it, and reads on where it was
            read = sum(reader.entries for reader in self.readers)
            self.log.info(
                "service_running",
                entries=read,
                entries_per_s=round((read - entries) / HEARTBEAT_S, 1),
                lag_ms=max((lag["lag_ms"] for lag in lags.values()), default=0),
                behind=[stream for stream, lag in lags.items() if lag["behind"]],
                age_s=min((lag["age_s"] for lag in lags.values()), default=None),
                **self.facts(),
            )
            for stream, lag in self._waiting(lags).items():
                self.log.warning("stream_waited", stream=stream, lag_ms=lag["lag_ms"], age_s=lag["age_s"])
            entries = read

    async def run(self) -> int:
        """Run until a signal or a failure; return the exit code of the process."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        server = self.serve()
        tasks: list[asyncio.Task[None]] = []
        try:
            await self._find_redis()
            for begin in self.at_start:
                await begin()
            await self.broker.start()
            running = [
                self._watch(task) for task in (*self.beside, self._say_alive, *([server.serve] if server else []))
            ]
            tasks = [asyncio.create_task(task) for task in running]
            self.log.info(
                "service_started",
                redis=self.redis_place,
                http_port=self.settings.http_port,
                pid=os.getpid(),
            )
            await self.stopping.wait()
        except Exception as failure:  # noqa: BLE001 (whatever it is, it is logged and ends the process)
            self.failure = failure
        if server is not None:
            server.should_exit = True
        pending = set(tasks)
        while pending:  # redis-py, and wait_for of Python 3.11, swallow a cancellation that comes with their result
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=0.5)
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOPPED_WITHIN_S):
                await self.broker.stop()  # what a reader is at is finished first
        for end in self.at_end:
            try:
                end()
            except Exception as failure:  # noqa: BLE001 (the others have their turn, and the log its line)
                self.fail(failure)
        self.tally.flush()
        if self.failure is not None:
            self.log.critical("service_stopped", reason=why(self.failure), exc_info=self.failure)
            return 1
        self.log.info("service_stopped", reason="asked to")
        return 0

    async def _find_redis(self) -> None:
        """Raise if there is no Redis at the start, or it lets us not read: the platform starts this process again."""
        await self.broker.connect()
        try:
            async with asyncio.timeout(_FOUND_WITHIN_S):
                await self.redis.ping()
                await self.lags()  # a reader that is refused would try again for ever, and nobody would be told
        except RedisError as failure:
            reason = refused(failure, self.settings, self.redis_place)
            if reason is None:
                raise
            raise reason from failure
        except TimeoutError as late:
            what = "Redis" if self.settings.tls_ca_file is None else "Redis that speaks TLS"
            raise RedisTimeoutError(f"no {what} at {self.redis_place} within {_FOUND_WITHIN_S:.0f} s") from late

    def web_app(self) -> Starlette:
        """Return what is served over HTTP: every route behind its scope."""
        return Starlette(
            routes=[self.access.guard(route) for route in self.routes],
            middleware=self.middleware,
            exception_handlers={HTTPException: tell_failure, Exception: tell_failure},
        )

    def describe(self, examples: Path, *, scope: str) -> None:
        """Serve a document that describes the routes, with the answers of a file, to whoever has the scope."""

        @cache
        def document() -> bytes:
            described = [route for route in self.routes if isinstance(route, DescribedRoute)]
            return orjson.dumps(describe(self.name, described, orjson.loads(examples.read_bytes())))

        async def answer(_: Request) -> Response:
            return Response(await asyncio.to_thread(document), media_type=JSON)

        self.routes.append(DescribedRoute("/openapi.json", answer, scope=scope, about=_DOCUMENT))

    def serve(self) -> uvicorn.Server | None:
        """Return the HTTP server, not yet started; None where the settings want none."""
        if not self.settings.http_port:
            return None
        config = uvicorn.Config(
            self.web_app(),
            host=self.settings.http_host,
            port=self.settings.http_port,
            log_config=None,
            access_log=False,
            lifespan="off",
        )
        config.load()
        config.ssl = self.certificate
        return _Server(config)

    async def _watch(self, task: Task) -> None:
        try:
            await task()
        except Exception as failure:  # noqa: BLE001 (a task that dies alone would leave the service up and silent)
            self.fail(failure)
        except SystemExit as failure:
            self.fail(RuntimeError(f"{task} ended with {failure}"))


class _StopOnFailure(BaseMiddleware[Any, Any]):
    """Stops the process where a reader fails: FastStream would log it, skip the entries and read on."""

    def __init__(self, message: Any, *, context: Any, fail: Callable[[BaseException], None]) -> None:
        super().__init__(message, context=context)
        self.fail = fail

    async def __aexit__(self, kind: Any = None, failure: BaseException | None = None, trace: Any = None) -> bool | None:
        if isinstance(failure, Exception):
            self.fail(failure)
            raise asyncio.CancelledError  # nothing behind a failed entry may be read: the reader's task ends here
        return False


class _Server(uvicorn.Server):
    """An HTTP server that leaves the signals to the service."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def entry_order(entry_id: str) -> tuple[int, int]:
    """Return an entry's id as a pair that sorts as Redis sorts."""
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)


async def publish_entries(
    redis: Redis, entries: Sequence[tuple[str, bytes, str]], *, raise_on_error: bool = True
) -> list[Any]:
    """Add (stream, body, id or "*") to the streams in one round trip; return each id, or the error in its place.

    Raises the first error unless told not to: an entry that nobody looks after is an entry lost.
    """
    pipeline = redis.pipeline(transaction=False)
    for stream, body, entry_id in entries:
        pipeline.xadd(stream, {DATA: body}, id=entry_id)
    return list(await pipeline.execute(raise_on_error=raise_on_error))


def run_service(service: Service) -> int:
    """Run a service in this process; return its exit code."""
    calm_collector()
    sys.setswitchinterval(_THREAD_TURN_S)
    return uvloop.run(service.run())


def calm_collector() -> None:
    """Have the garbage collector look at what is young only, often and at little.

    A batch's many small objects die young, and what lives on lives long. A look at 20,000 that live on takes 20 ms, one
    at millions a second, in which nobody is answered.
    """
    gc.freeze()
    gc.set_threshold(2_000, 1_000_000, 1_000)


async def _parse(message: Any) -> StreamMessage[Any]:
    """Take a read's entries as they are: their bodies are decoded strictly by whoever knows what they are."""
    body = [
        (entry_id.decode(), fields.get(DATA.encode(), b""))
        for entry_id, fields in zip(message["message_ids"], message["data"], strict=True)
    ]
    return StreamMessage(raw_message=message, body=body)


async def _decode(message: StreamMessage[Any]) -> Any:
    return message.body
