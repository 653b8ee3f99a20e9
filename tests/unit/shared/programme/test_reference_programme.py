"""The wafer model of the reference programme against the golden values of its facts."""

import re

import pytest
import yaml

from shared.programme.programme_file import read_programme
from shared.programme.wafer_model import gb_per_wafer, gross_dies, wafers_per_mw
from testing.reference import PROGRAMME_PATH

RAW = yaml.safe_load(PROGRAMME_PATH.read_text(encoding="utf-8"))
PROGRAMME = read_programme(PROGRAMME_PATH.read_text(encoding="utf-8"))
MODELS = PROGRAMME.wafer_models


def test_the_programme_has_each_product_and_no_other():
    assert list(PROGRAMME.products) == list(MODELS) == ["HBM3E-12H", "HBM4-12H", "DDR5-32G", "LP5X-16G"]


def test_each_product_is_in_a_rack_or_a_server():
    used = {name for platform in PROGRAMME.platforms.values() for name in platform.rack.memory_gb}

    assert used | PROGRAMME.facility.server_memory_gb.keys() == PROGRAMME.products.keys()


def test_each_number_has_sources_with_a_day_and_a_confidence_or_is_assumed_for_a_reason():
    evidenced = [*PROGRAMME.products.values(), *PROGRAMME.platforms.values(), PROGRAMME.target, PROGRAMME.facility]
    cited = {name for each in evidenced for name in each.sources}
    cited |= set(re.findall(r"\bS\d+b?\b", yaml.safe_dump(RAW["companies"])))

    for each in evidenced:
        if each.sources:
            assert each.known_from is not None
            assert each.confidence in ("high", "medium", "low")
        else:
            assert (each.confidence, bool(each.basis)) == ("assumed", True)
    assert cited == PROGRAMME.references.keys()


def test_gross_dies_are_the_golden_ones():
    assert [gross_dies(model.die_mm2) for model in MODELS.values()] == [501, 464, 796, 1680]


def test_gigabytes_a_wafer_are_the_golden_ones():
    assert [round(gb_per_wafer(model)) for model in MODELS.values()] == [1013, 859, 2705, 2969]


@pytest.mark.parametrize(
    ("platform", "golden", "total"),
    [
        ("GB300-NVL72", {"HBM3E-12H": 119.78, "LP5X-16G": 34.06, "DDR5-32G": 23.8}, 177.6),
        ("VR-NVL72", {"HBM4-12H": 88.79, "LP5X-16G": 33.46, "DDR5-32G": 23.8}, 146.0),
        ("HELIOS-MI455X", {"HBM4-12H": 116.54, "DDR5-32G": 66.64}, 183.2),
        ("TITAN-ASIC", {"HBM4-12H": 165.74, "DDR5-32G": 92.35}, 258.1),
    ],
)
def test_wafers_a_megawatt_are_the_golden_ones(platform, golden, total):
    rates = wafers_per_mw(PROGRAMME.platforms[platform].rack, PROGRAMME.facility, MODELS)

    assert {product: round(float(rate), 2) for product, rate in rates.items()} == golden
    assert round(float(sum(rates.values())), 1) == total
