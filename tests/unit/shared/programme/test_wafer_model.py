"""Does the wafer model come to the published dies and gigabytes, and does it say what it lacks?"""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.programme.wafer_model import MissingWaferModel, gb_per_mw, gb_per_wafer, gross_dies, wafers_per_mw
from shared.wire.events import DIE_MM2_MAX, Facility, Rack, WaferModel

FACILITY = Facility(
    pue="1.25", accelerator_share="0.9", server_share="0.1", server_kw="2", server_memory_gb={"DDR": 100}, spares="0.5"
)
RACK = Rack(rack_kw=144, accelerators=72, memory_gb={"HBM": 1_000, "DDR": 10})


def model(**others: object) -> WaferModel:
    fields = {
        "gb_per_die": 3,
        "die_mm2": 121,
        "layers": 12,
        "line_yield": "0.97",
        "probe_yield": "0.80",
        "layer_yield": "0.99",
        "final_yield": "0.98",
    }
    return WaferModel(**fields | others)


@pytest.mark.parametrize(("die_mm2", "dies"), [(121, 501), (130, 464), (40, 1593), (78, 796), (38, 1680)])
def test_a_wafer_has_the_dies_of_the_de_vries_formula(die_mm2, dies):
    assert gross_dies(die_mm2) == dies


@given(st.integers(1, DIE_MM2_MAX))
def test_each_die_that_may_be_declared_fits_on_a_wafer(die_mm2):
    assert gross_dies(die_mm2) > 0


def test_a_wafer_gives_its_good_dies_gigabytes():
    assert gb_per_wafer(model()) == 501 * 3 * Fraction("0.97") * Fraction("0.8") * Fraction("0.99") ** 12 * Fraction(
        "0.98"
    )


def test_a_megawatt_takes_the_memory_of_its_racks_and_servers_and_spares():
    # 800 kW for IT: 720 kW are 5 racks, 80 kW are 40 servers
    assert gb_per_mw(RACK, FACILITY) == {"HBM": 5_000 * Fraction(3, 2), "DDR": (50 + 4_000) * Fraction(3, 2)}


def test_a_megawatt_takes_the_wafers_of_its_gigabytes():
    models = {"HBM": model(), "DDR": model(layers=1)}

    assert wafers_per_mw(RACK, FACILITY, models) == {
        product: gb / gb_per_wafer(models[product]) for product, gb in gb_per_mw(RACK, FACILITY).items()
    }


def test_a_product_without_a_model_is_refused_by_name():
    with pytest.raises(MissingWaferModel, match="DDR has no wafer model"):
        wafers_per_mw(RACK, FACILITY, {"HBM": model()})
