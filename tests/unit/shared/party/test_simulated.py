"""The wiring of a party that a scenario simulates."""

from pathlib import Path

import yaml

from services.supplier.app import build_app
from shared.party.settings import PartySettings
from shared.play.scenario import DEFAULT_PATH, DEFAULT_PROGRAMME


def test_a_scenario_whose_programme_has_no_planner_can_be_simulated(tmp_path: Path) -> None:
    programme, scenario = (yaml.safe_load(path.read_text()) for path in (DEFAULT_PROGRAMME, DEFAULT_PATH))
    del programme["parties"]["planners"]
    (tmp_path / "programme.yaml").write_text(yaml.safe_dump(programme))
    (tmp_path / "scenario.yaml").write_text(yaml.safe_dump(scenario | {"programme": str(tmp_path / "programme.yaml")}))
    settings = PartySettings(source="micron", scenario=tmp_path / "scenario.yaml", outbox_dir=tmp_path)

    assert build_app(settings).beside  # the simulation, among others
