"""A programme file is read strictly: each fault is named with its file, line and path."""

import pytest
import yaml

from shared.play.scenario import DEFAULT_PROGRAMME, load_programme
from shared.programme.programme_file import ProgrammeFileError, read_programme

TEXT = DEFAULT_PROGRAMME.read_text(encoding="utf-8")


def test_the_reference_programme_is_read_whole():
    programme = load_programme()

    assert [*programme.products] == [*yaml.safe_load(TEXT)["products"]]
    assert programme.wafer_models.keys() == programme.products.keys()
    assert len([*programme.parties.sources()]) == 7


def test_an_empty_entry_is_a_product_without_a_wafer_model():
    programme = read_programme("name: plain\nproducts: {PLAIN: {}, BARE: }\nplatforms: {X: {basis: A}}\n")

    assert programme.products["PLAIN"].wafer_model is programme.products["BARE"].wafer_model is None
    assert programme.platforms["X"].rack is None
    assert programme.wafer_models == {}
    with pytest.raises(ValueError, match="PLAIN has no wafer model"):
        programme.wafer_model("PLAIN")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            'probe_yield: "0.74"',
            "probe_yield: 0.74",
            "products.HBM4-12H.probe_yield is 0.74, a number that is not exact",
        ),
        ('    layers: 12\n    line_yield: "0.97"\n    probe_yield: "0.74"', "", "products.HBM4-12H.layers is missing"),
        ('probe_yield: "0.74"', 'probe_yield: "7.4"', "probe_yield is '7.4', and not a fraction above 0 and up to 1"),
        ("    samsung:", "    planner:", "'planner' names a service or a token"),
        ("    samsung:", "    notifier:", "'notifier' names a service or a token"),
        ("    skhynix:", "    Stargate-EMEA:", "'stargate-emea' names two parties"),
        ("HBM4-12H: 31104", "HBM5: 31104", "platforms.HELIOS-MI455X.memory_gb.HBM5 is no product of this file"),
        (
            "supplier, name: micron",
            "supplier, name: micorn",
            "companies.nvidia.roles name micorn, no supplier of this file",
        ),
        ("{DDR5-32G: 1500}", "{DDR6: 1500}", "facility.server_memory_gb.DDR6 is no product of this file"),
        ("title: SK hynix", "titel: SK hynix", "parties.suppliers.skhynix.titel is no field of it"),
        ("2030-12-31", "2024-12-31", "horizon ends before it starts"),
        ("starts_on: 2025-01-01", "starts_on: 2000-01-01", None),
        ("    skhynix:", "    samsung:", "parties.suppliers.samsung is named twice"),
        ("name: stargate", "name: [", "is not YAML"),
        ("2030-12-31", "2030-02-30", "no calendar has the day 2030-02-30"),
        ("2030-12-31", "2030-12-31T12:00:00", "should be a valid date, not 2030-12-31 12:00:00"),
        ("    samsung:", "    SAM SUNG:", "parties.suppliers.SAM SUNG is 'SAM SUNG', and not a name: up to 48"),
        ("{DDR5-32G: 1500}", "[]", "facility.server_memory_gb is [], and not fields under their names"),
    ],
)
def test_a_fault_is_named_with_its_place(before, after, message):
    assert before in TEXT
    text = TEXT.replace(before, after, 1)

    if message is None:
        assert read_programme(text, "F.yaml").horizon
        return
    with pytest.raises(ProgrammeFileError) as refused:
        read_programme(text, "F.yaml")
    assert str(refused.value).startswith("F.yaml, line ")
    assert message in str(refused.value)


def test_every_fault_has_its_line():
    text = TEXT.replace('"0.74"', "0.74").replace("rack_kw: 132", "rack_kw: 0")

    with pytest.raises(ProgrammeFileError) as refused:
        read_programme(text, "F.yaml")

    assert str(refused.value).count("F.yaml, line ") == 2


@pytest.mark.parametrize("text", ["name: x\nfacility: &a {pue: *a}\n", "name: " + "[" * 3000 + "]" * 3000])
def test_a_text_without_end_is_refused(text):
    with pytest.raises(ProgrammeFileError, match=r"^F.yaml: it nests too deeply, or holds itself$"):
        read_programme(text, "F.yaml")


def test_each_key_is_a_name():
    programme = read_programme("name: x\nproducts: {NO: {}, 16: {}, 1e3: {}, 2026-01-01: {}}\n")

    assert [*programme.products] == ["NO", "16", "1e3", "2026-01-01"]


def test_entries_may_share_fields():
    programme = read_programme("name: x\nproducts: {A: &a {family: HBM}, B: {<<: *a, basis: as A}}\n")

    assert programme.products["B"].family == "HBM"
