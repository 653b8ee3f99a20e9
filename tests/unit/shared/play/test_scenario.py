"""The reference programme, and the strictness with which a scenario is read."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from shared.play.scenario import DEFAULT_PATH, DEFAULT_PROGRAMME, load_scenario

SCENARIO = load_scenario()


def edited(edit, folder) -> Path:
    raw = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))
    raw["programme"] = str(DEFAULT_PROGRAMME)
    edit(raw)
    path = folder / "scenario.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


@pytest.mark.parametrize(("path", "least"), [(DEFAULT_PATH, 100), (DEFAULT_PROGRAMME, 11)])
def test_every_basis_is_tagged_and_every_reference_known(path, least):
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    bases = []

    def collect(value):
        if isinstance(value, dict):
            bases.extend([value["basis"]] if "basis" in value else [])
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect(raw)

    words = [word.strip(",;:()") for basis in bases for word in basis.split()]
    cited = {word for word in words if word.startswith("S") and word[1:2].isdigit()}
    assert len(bases) >= least
    assert {word for c in cited for word in c.split(",")} <= set(raw["references"])


@pytest.mark.parametrize(
    "edit",
    [
        lambda raw: raw.update(surprise=1),
        lambda raw: raw["spread_months"].pop("basis"),
        lambda raw: raw["spread_months"].update(value=6.0),
        lambda raw: raw["pools"]["region_percent"]["value"].update({"POOL-US": 61}),
        lambda raw: raw["suppliers"]["samsung"]["share_percent"]["LP5X-16G"].update(value=[50, 55]),
        lambda raw: raw["datacenters"]["stargate-apac"]["sites"][0]["platform"].update(value="ABACUS"),
        lambda raw: raw["suppliers"]["samsung"]["share_percent"].update({"ABACUS": {"value": [1, 1], "basis": "A"}}),
        lambda raw: raw["events"]["scrapped_wafers"][0].update(product="ABACUS"),
        lambda raw: raw["suppliers"].update({"nobody": raw["suppliers"].pop("samsung")}),
        lambda raw: raw["lead_times"].update({"ABACUS": raw["lead_times"]["HBM"]}),
    ],
)
def test_a_scenario_is_read_strictly(edit, tmp_path):
    with pytest.raises(ValidationError):
        load_scenario(edited(edit, tmp_path))
