"""One running service: readers of streams, tasks beside them, HTTP, and a stop on any failure."""

import asyncio
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import uvicorn
import uvloop
from prometheus_client import CollectorRegistry, Gauge, ProcessCollector
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from starlette.applications import Starlette
from starlette.middleware import Middleware

from shared.http.access import Access, ScopedRoute
from shared.http.peers import read_certificate
from shared.http.request_bounds import BodyBound, RequestBounds
from shared.process.credentials import redis_address, refused
from shared.process.log import Tally, open_log, why
from shared.process.settings import ServiceSettings
from shared.service.health import HealthMonitor
from shared.service.readers import Handler, Reader, open_broker, subscribe
from shared.service.web import build_server, build_web_app, document_route, monitoring_routes

Task = Callable[[], Coroutine[Any, Any, None]]

TIME_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_THREAD_SWITCH_S = 0.0005  # with the default of 5 ms, a query waits that long for each thread that runs Python code
_CONNECT_TIMEOUT_S = 5.0
_STOP_TIMEOUT_S = 5.0


class Service:
    """One process: readers of streams, tasks beside them, and HTTP, wired by `build_app` of the service."""

    def __init__(self, name: str, settings: ServiceSettings) -> None:
        self.name = name
        self.settings = settings
        self.log = open_log(name)
        self.tally = Tally(self.log)  # for lines that are due many times a second
        address = redis_address(settings)
        self.redis_place = address.url.rpartition("@")[2]
        self.broker = open_broker(address, self.fail)
        self.readers: list[Reader] = []
        self.at_start: list[Task] = []
        self.beside: list[Task] = []
        self.at_end: list[Callable[[], None]] = []
        self.facts: Callable[[], dict[str, Any]] = dict
        self.readiness: Callable[[], bool] = lambda: True  # whether it does its work, beside the needs of every service
        self.stopping = asyncio.Event()
        self.failure: BaseException | None = None
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.connections = Gauge("waferline_http_connections", "Open connections over HTTP", registry=self.registry)
        self.health = HealthMonitor(self, self.registry)
        self.access = Access(settings, self.tally, self.registry)
        self.at_end.append(self.access.refusals.ration.flush)
        self.certificate = read_certificate(settings)
        self.routes: list[ScopedRoute] = monitoring_routes(self.health, self.access, self.registry)
        self.bodies: dict[str, BodyBound] = {}  # of the paths that take longer ones than all others
        self.middleware: list[Middleware] = [RequestBounds.middleware(settings, self.tally, self.registry, self.bodies)]

    @property
    def redis(self) -> Redis:
        """The connection on which this service publishes."""
        return cast(Redis, self.broker.config.broker_config.connection.client)  # no cluster: we never ask for one

    def reads(self, stream: str, *, after: str, batch_max: int = 100) -> Callable[[Handler], Handler]:
        """Have a handler read a stream from behind the entry `after`, up to `batch_max` entries at a time.

        A handler that raises stops the process.
        """
        reader = Reader(stream, after, batch_max, self.settings.read_bytes_max)
        self.readers.append(reader)

        def register(handler: Handler) -> Handler:
            subscribe(self.broker, reader, handler)
            return handler

        return register

    def run_beside(self, task: Task) -> Task:
        """Have a task run beside the readers; if it raises, the process stops with it."""
        self.beside.append(task)
        return task

    def fail(self, failure: BaseException) -> None:
        """Stop the process because of a failure."""
        self.failure = self.failure or failure
        self.stopping.set()

    def describe(self, examples: Path, *, scope: str) -> None:
        """Serve the OpenAPI document of the routes, with the examples of a file, behind a scope."""
        self.routes.append(document_route(self.name, self.routes, examples, scope=scope))

    def web_app(self) -> Starlette:
        """Return the application that serves every route behind its scope."""
        return build_web_app(self.access, self.routes, self.middleware)

    def serve(self) -> uvicorn.Server | None:
        """Return the HTTP server, not yet started; None where the settings name no port."""
        if not self.settings.http_port:
            return None
        server = build_server(self.web_app(), self.settings, self.certificate)
        self.connections.set_function(lambda: len(server.server_state.connections))
        return server

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
                *self.beside, self.health.log_heartbeat, *([server.serve, self.access.watch] if server else []),
            ]  # fmt: skip
            tasks = [asyncio.create_task(self._watch(task)) for task in running]
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
        await self._stop(tasks)
        if self.failure is not None:
            self.log.critical("service_stopped", reason=why(self.failure), exc_info=self.failure)
            return 1
        self.log.info("service_stopped", reason="asked to")
        return 0

    async def _find_redis(self) -> None:
        """Raise if Redis is away at the start, or refuses a read: the platform starts this process again."""
        await self.broker.connect()
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await self.redis.ping()
                await self.health.lags()  # a reader that Redis refuses would retry for ever, without a line of log
        except RedisError as failure:
            reason = refused(failure, self.settings, self.redis_place)
            if reason is None:
                raise
            raise reason from failure
        except TimeoutError as late:
            server = "Redis" if self.settings.tls_ca_file is None else "Redis that speaks TLS"
            raise RedisTimeoutError(f"no {server} at {self.redis_place} within {_CONNECT_TIMEOUT_S:.0f} s") from late

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        """End the tasks, then the readers, each after the read it is at, then run `at_end`."""
        pending = set(tasks)
        while pending:  # redis-py, and wait_for of Python 3.11, swallow a cancellation that comes with their result
            for task in pending:
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=0.5)
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await self.broker.stop()
        for end in self.at_end:
            try:
                end()
            except Exception as failure:  # noqa: BLE001 (the others have their turn, and the log its line)
                self.fail(failure)
        self.tally.flush()

    async def _watch(self, task: Task) -> None:
        try:
            await task()
        except Exception as failure:  # noqa: BLE001 (a task that dies alone would leave the service up and silent)
            self.fail(failure)
        except SystemExit as failure:
            self.fail(RuntimeError(f"{task} ended with {failure}"))


def run_service(service: Service) -> int:
    """Run a service in this process; return its exit code."""
    calm_collector()
    allow_files()
    sys.setswitchinterval(_THREAD_SWITCH_S)
    return uvloop.run(service.run())


def allow_files() -> None:
    """Let this process open as many files as it may: a crowd of connections must not use up all of 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # a system may allow fewer than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def calm_collector() -> None:
    """Have the garbage collector scan young objects only, often and few at a time.

    A batch's many small objects die young, and the state lives long. A scan of 20,000 old objects takes 20 ms, one of
    millions a second, during which no query is answered.
    """
    gc.freeze()
    gc.set_threshold(2_000, 1_000_000, 1_000)
