"""HTTP of a service: the server, and the routes that every service has: /health, /metrics and /openapi.json."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, cast

import orjson
import uvicorn
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import BaseModel, ConfigDict
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.http.access import METRICS, OPEN, Access, ScopedRoute
from shared.http.answering import JSON, DescribedRoute, RouteDoc
from shared.http.connections import BoundedConnection
from shared.http.openapi import describe
from shared.http.problem import answer_failure
from shared.http.query import Query
from shared.process.settings import ServiceSettings
from shared.service.health import HealthMonitor


class _HealthAnswer(BaseModel):
    """Whether a service is well; with a token, the details too."""

    model_config = ConfigDict(extra="allow", title="_Told")  # its published name

    well: bool


class _Document(BaseModel):
    """An OpenAPI document."""

    model_config = ConfigDict(extra="allow")

    openapi: Literal["3.1.0"]


_HEALTH = RouteDoc("Whether the service does its work.", "", Query, _HealthAnswer, also={503: "It does not."})
_METRICS = RouteDoc("The metrics, for Prometheus.", "", Query, None, "text/plain")
_DOCUMENT = RouteDoc("This document.", "", Query, _Document)


def monitoring_routes(health: HealthMonitor, access: Access, registry: CollectorRegistry) -> list[ScopedRoute]:
    """Return the routes of a service's health and metrics."""

    async def answer_health(request: Request) -> Response:
        found = await health.check()
        detail = found.detail if access.sees_health(request) else {}
        return JSONResponse({"well": found.well, **detail}, status_code=200 if found.well else 503)

    async def answer_metrics(_: Request) -> Response:
        await health.update_metrics()
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    return [
        DescribedRoute("/health", answer_health, scope=OPEN, doc=_HEALTH),
        DescribedRoute("/metrics", answer_metrics, scope=METRICS, doc=_METRICS),
    ]


def document_route(service: str, routes: Sequence[ScopedRoute], examples: Path, *, scope: str) -> DescribedRoute:
    """Return the route of the OpenAPI document of the routes, which may still grow, with examples from a file."""

    @cache
    def document() -> bytes:
        described = [route for route in routes if isinstance(route, DescribedRoute)]
        return orjson.dumps(describe(service, described, orjson.loads(examples.read_bytes())))

    async def answer(_: Request) -> Response:
        return Response(await asyncio.to_thread(document), media_type=JSON)

    return DescribedRoute("/openapi.json", answer, scope=scope, doc=_DOCUMENT)


def build_web_app(access: Access, routes: Sequence[ScopedRoute], middleware: Sequence[Middleware]) -> Starlette:
    """Return the application that serves the routes, each behind its scope."""
    app = Starlette(
        routes=[access.guard(route) for route in routes],
        middleware=middleware,
        exception_handlers={HTTPException: answer_failure, Exception: answer_failure},
    )
    app.router.redirect_slashes = False  # the API describes no redirect
    return app


def build_server(app: Starlette, settings: ServiceSettings, certificate: ssl.SSLContext | None) -> uvicorn.Server:
    """Return the HTTP server of an application, not yet started."""
    config = uvicorn.Config(
        app,
        http=cast(Any, partial(BoundedConnection, bounds=settings)),
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        lifespan="off",
    )
    config.load()
    config.ssl = certificate
    return _Server(config)


class _Server(uvicorn.Server):
    """An HTTP server that leaves the signals to the service."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
