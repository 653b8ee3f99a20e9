"""What is watched: the metrics that the services have, and the queries that are made of them."""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry

from services.aggregator import app as aggregator
from services.console import app as console
from services.datacenter import app as datacenter
from services.ledger import app as ledger
from services.ledger.checkpoint.files import make_key
from services.ledger.settings import LedgerSettings
from services.notifier import app as notifier
from services.notifier.settings import NotifierSettings
from services.planner import app as planner
from services.planner.settings import PlannerSettings
from services.supplier import app as supplier
from shared.party.settings import PartySettings

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
ENDINGS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


def rules() -> list[dict[str, Any]]:
    """Return the alert rules."""
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_queries() -> list[str]:
    """Return the queries of the dashboard as Grafana sends them."""
    panels = json.loads((GRAFANA / "dashboards" / "waferline.json").read_text())["panels"]
    return [target["expr"].replace("$__rate_interval", "1m") for panel in panels for target in panel["targets"]]


def metrics_in(query: str) -> set[str]:
    """Return the names of the services' metrics in a query."""
    return set(re.findall(r"\b(?:waferline|process)_\w+", query))


def registries(folder: Path) -> dict[str, CollectorRegistry]:
    """Return the registry of each kind of service, as its process builds it; nothing is asked of Redis."""
    make_key(folder / "key", "tried")
    settings = {"checkpoint_key": folder / "key", "checkpoints": folder / "checkpoints.txt"}
    services = {
        "ledger": ledger.build_app(LedgerSettings(ledger_store=str(folder / "ledger.db"), **settings)),
        "aggregator": aggregator.build_app(aggregator.AggregatorSettings()),
        "console": console.build_app(console.ConsoleSettings()),
        "supplier": supplier.build_app(PartySettings(source="s", outbox_dir=folder)),
        "datacenter": datacenter.build_app(PartySettings(source="d", outbox_dir=folder)),
        "notifier": notifier.build_app(NotifierSettings(outgoing=folder / "notifier.db")),
        "planner": planner.build_app(PlannerSettings(source="p", outbox_dir=folder)),
    }
    return {name: service.registry for name, service in services.items()}


def metric_names(registry: CollectorRegistry) -> set[str]:
    """Return the names under which Prometheus knows the metrics of a registry."""
    return {metric.name + end for metric in registry.collect() for end in ENDINGS.get(metric.type, ("",))}
