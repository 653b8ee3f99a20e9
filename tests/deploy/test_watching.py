"""Do the alert rules and the dashboard speak of what there is, and does each rule call when it should?"""

import json
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from services.operator.stack.stack import Stack
from tests.deploy.watched import (
    GRAFANA,
    PROMETHEUS,
    ROOT,
    dashboard_queries,
    metric_names,
    metrics_in,
    registries,
    rules,
)

PAGE = ROOT / "docs" / "watching.md"


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed: apt-get install prometheus, and the rules are tried with it")
    return found


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_metric_that_is_watched_is_one_of_a_service(tmp_path: Path) -> None:
    known = set().union(*map(metric_names, registries(tmp_path).values()))
    queries = [rule["expr"] for rule in rules()] + dashboard_queries()

    watched = set().union(*map(metrics_in, queries))
    assert watched - known == set()
    assert len(watched) > 15
    unwatched = {name for name in known - watched if name.startswith("waferline_")}
    assert {name for name in unwatched if not name.endswith(("_sum", "_count"))} == set(), "nobody looks at it"


def test_every_service_of_the_stack_is_asked(tmp_path: Path) -> None:
    [job] = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    [parties] = json.loads((ROOT / "deploy" / "programmes" / "stargate" / "targets.json").read_text())

    asked = job["static_configs"][0]["targets"] + parties["targets"]
    assert asked == [f"{name}:8100" for name in Stack(tmp_path).services()]


def test_with_tls_only_the_scheme_is_another() -> None:
    plain, tls = (yaml.safe_load((PROMETHEUS / name).read_text()) for name in ("prometheus.yml", "prometheus-tls.yml"))
    [job] = tls["scrape_configs"]

    assert (job.pop("scheme"), job.pop("tls_config")) == ("https", {"ca_file": "/run/secrets/tls/ca.crt"})
    plain["scrape_configs"][0].pop("scheme")
    assert tls == plain


def test_every_rule_has_its_part_of_the_page() -> None:
    parts = re.findall(r"^### (\w+)$", PAGE.read_text(), re.MULTILINE)

    assert parts == [rule["alert"] for rule in rules()]
    assert [rule["annotations"]["runbook"] for rule in rules()] == [
        f"docs/watching.md#{part.lower()}" for part in parts
    ]
    assert {rule["labels"]["severity"] for rule in rules()} == {"page", "look", "planner"}


def test_every_rule_is_tried_where_it_calls_and_where_it_does_not() -> None:
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]
    tried = [(each["alertname"], bool(each["exp_alerts"])) for test in tests for each in test["alert_rule_test"]]

    assert set(tried) == {(rule["alert"], calls) for rule in rules() for calls in (True, False)}


@pytest.mark.parametrize("name", ["prometheus.yml", "prometheus-tls.yml"])
def test_prometheus_reads_its_settings(promtool: str, name: str) -> None:
    run(promtool, "check", "config", "--syntax-only", PROMETHEUS / name)  # its secrets are not here


def test_each_rule_calls_when_it_should_and_only_then(promtool: str) -> None:
    run(promtool, "test", "rules", PROMETHEUS / "alerts_test.yml")


def test_a_rule_that_never_calls_is_found_out(promtool: str, tmp_path: Path) -> None:
    text = (PROMETHEUS / "alerts.yml").read_text()
    (tmp_path / "alerts.yml").write_text(
        text.replace("waferline_sequences_missing > 0", "waferline_sequences_missing > 5")
    )
    shutil.copy(PROMETHEUS / "alerts_test.yml", tmp_path)

    command = [promtool, "test", "rules", str(tmp_path / "alerts_test.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "SequencesMissing" in done.stdout + done.stderr


def test_prometheus_understands_every_query_of_the_dashboard(promtool: str, tmp_path: Path) -> None:
    asked = [{"record": f"asked:{n}", "expr": query} for n, query in enumerate(dashboard_queries())]
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": asked}]}))

    assert f"SUCCESS: {len(asked)} rules found" in run(promtool, "check", "rules", tmp_path / "queries.yml")


def test_the_dashboard_is_the_one_that_its_file_writes() -> None:
    written = runpy.run_path(str(GRAFANA / "dashboard.py"))["written"]()

    assert (GRAFANA / "dashboards" / "waferline.json").read_text() == written, "python deploy/grafana/dashboard.py"


def test_the_panels_fit_beside_each_other_and_ask_the_provisioned_source() -> None:
    panels = json.loads((GRAFANA / "dashboards" / "waferline.json").read_text())["panels"]
    [source] = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    places = [
        (x, y) for at in (p["gridPos"] for p in panels) for x in range(at["x"], at["x"] + at["w"]) for y in (at["y"],)
    ]

    assert len(places) == len(set(places))
    assert max(x for x, _ in places) == 23
    assert {t["datasource"]["uid"] for p in panels for t in p["targets"]} == {source["uid"]}
    assert len({p["id"] for p in panels}) == len(panels)
