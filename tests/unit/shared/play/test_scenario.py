"""The reference programme, and the strictness with which a scenario is read."""

from datetime import date
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from shared.play.scenario import DEFAULT_PATH, DEFAULT_PROGRAMME, load_scenario

RAW = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))


def edited(edit, folder) -> Path:
    raw = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))
    raw["programme"] = str(DEFAULT_PROGRAMME)
    edit(raw)
    path = folder / "scenario.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def facts_of(value):
    """Yield each fact of a file: what has sources, anchors or a note of its own."""
    if isinstance(value, dict):
        if value.keys() & {"sources", "anchors", "note"}:
            yield value
        for inner in value.values():
            yield from facts_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from facts_of(inner)


def test_each_fact_has_sources_with_a_day_and_a_confidence_or_a_reason():
    facts = [fact for fact in facts_of(RAW) if "lag_days" not in fact and "day" not in fact]
    sourced = [fact for fact in facts if fact.get("sources")]

    assert len(facts) > 200
    assert len(sourced) > 80
    assert [fact for fact in sourced if fact.get("confidence") not in ("high", "medium", "low")] == []
    assert [fact for fact in sourced if "known_from" not in fact] == []
    assert [fact for fact in facts if not fact.get("sources") and not fact.get("note")] == []


def test_every_number_of_the_file_stands_beside_its_evidence():
    """A value is a fact or within one; the script, the behaviour and what is named else hold no measured number."""
    free = {"play", "mistakes", "events", "references", "headline"}

    def numbers(value, path, is_based):
        if isinstance(value, dict):
            based = is_based or bool(value.keys() & {"sources", "note"})
            for name, inner in value.items():
                yield from numbers(inner, (*path, name), based)
        elif isinstance(value, list):
            for inner in value:
                yield from numbers(inner, path, is_based)
        elif isinstance(value, int) and not isinstance(value, bool) and not is_based:
            yield path

    assert [path for path in numbers(RAW, (), is_based=False) if path[0] not in free] == []


def test_every_reference_is_cited_and_every_citation_is_listed():
    cited = {name for fact in facts_of(RAW) for kind in ("sources", "anchors") for name in fact.get(kind, [])}

    assert cited == RAW["references"].keys()


@pytest.mark.parametrize(
    "edit",
    [
        lambda raw: raw.update(surprise=1),
        lambda raw: raw["spread_months"].pop("note"),
        lambda raw: raw["spread_months"].update(value=6.0),
        lambda raw: raw["spread_months"].update(confidence="high"),
        lambda raw: raw["headline"]["starts_on"].pop("known_from"),
        lambda raw: raw["headline"]["starts_on"].update(sources=["S999"]),
        lambda raw: raw["references"].update(S998={"ref": "cited by nobody", "date": "2026"}),
        lambda raw: raw["pools"]["region_percent"]["value"].update({"POOL-US": 61}),
        lambda raw: raw["sourcing_percent"]["TITAN-ASIC"]["HBM4-12H"]["value"]["2026-01"].update(samsung=81),
        lambda raw: raw["sourcing_percent"]["TITAN-ASIC"].pop("DDR5-32G"),
        lambda raw: raw["datacenters"]["stargate-apac"]["sites"][0]["platform"].update(value="ABACUS"),
        lambda raw: raw["datacenters"]["stargate-apac"]["sites"][1]["declared"].reverse(),
        lambda raw: raw["datacenters"]["stargate-apac"]["sites"][0].pop("platform"),
        lambda raw: raw["suppliers"]["micron"]["qualified_on"].update({"ABACUS": {"value": "2026-01-01", "note": "x"}}),
        lambda raw: raw["events"]["scrapped_wafers"][0].update(product="ABACUS"),
        lambda raw: raw["suppliers"].update({"nobody": raw["suppliers"].pop("samsung")}),
        lambda raw: raw["lead_times"].update({"ABACUS": raw["lead_times"]["HBM"]}),
        lambda raw: raw["earlier_racks"].update({"ABACUS": raw["earlier_racks"]["VR-NVL72"]}),
        lambda raw: raw["earlier_racks"]["VR-NVL72"][0]["memory_gb"].update({"ABACUS": 1}),
        lambda raw: raw["earlier_racks"]["VR-NVL72"][0].update(known_from=date(2026, 6, 15)),
        lambda raw: raw["earlier_racks"].update({"TITAN-ASIC": []}),
    ],
)
def test_a_scenario_is_read_strictly(edit, tmp_path):
    with pytest.raises(ValidationError):
        load_scenario(edited(edit, tmp_path))


def sites_of(raw, group):
    return {site["id"]: site for site in raw["datacenters"][group]["sites"]}


def rename(named, before, after):
    named[after] = named.pop(before)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (
            lambda raw: next(
                revision
                for phase in sites_of(raw, "stargate-emea")["GB-STARGATE"]["phases"].values()
                for revision in phase
                if "divert_to" in revision
            ).update(divert_to="TX-ABILENE"),
            "GB-STARGATE diverts to TX-ABILENE, which is no site of its group",
        ),
        (lambda raw: rename(raw["pools"]["region_percent"]["value"], "POOL-US", "POOL-UX"), "'POOL-UX' is no site"),
        (lambda raw: raw["mistakes"][0].update(source="samsnug"), "'samsnug' is no party"),
        (lambda raw: raw["events"]["yield_excursions"][0].update(supplier="samsnug"), "'samsnug' is no supplier"),
        (
            lambda raw: raw["events"]["receipts_in_error"][0].update(datacenter="stargate-apca"),
            "'stargate-apca' is no group of sites",
        ),
        (lambda raw: raw["headline"]["signatories"]["value"].append("samsnug"), "'samsnug' is no supplier"),
        (
            lambda raw: raw["datacenters"]["stargate-emea"]["sites"].append(
                sites_of(raw, "stargate-apac")["KR-POHANG"]
            ),
            "KR-POHANG is listed 2 times: a site is of one group",
        ),
    ],
)
def test_a_name_that_is_not_of_the_programme_or_not_of_its_group_is_refused(edit, reason, tmp_path):
    with pytest.raises(ValidationError, match=reason):
        load_scenario(edited(edit, tmp_path))


def test_a_rack_is_that_which_was_known_on_the_day():
    scenario = load_scenario()

    def modules(day):
        return scenario.platform_on("VR-NVL72", day).rack.memory_gb["LP5X-16G"]

    assert [modules(date(2026, 6, 14)), modules(date(2026, 6, 15)), modules(date.max)] == [54_000, 27_000, 27_000]
    before, now = (scenario.wafers_per_mw("VR-NVL72", None, day) for day in (date(2026, 6, 14), date.max))
    assert now["LP5X-16G"] * 2 == before["LP5X-16G"]
    assert {product for product in now if now[product] != before[product]} == {"LP5X-16G"}


def test_the_planner_declares_all_at_the_start_and_each_revision_on_its_day():
    scenario = load_scenario()
    start, *later = scenario.declared_days(date.max)

    assert start == scenario.starts_on
    assert scenario.declared_on(start).products.keys() == scenario.programme.products.keys()
    assert scenario.declared_days(date(2026, 6, 15)) == [start, *(day for day in later if day <= date(2026, 6, 15))]
    revised = {day: list(scenario.declared_on(day).platforms) for day in later}
    assert {day: names for day, names in revised.items() if names} == {
        date(2026, 6, 15): ["VR-NVL72"], date(2026, 10, 7): ["TITAN-ASIC"]
    }  # fmt: skip
    platforms, companies = dict(scenario.declared_on(start).platforms), dict(scenario.declared_on(start).companies)
    for day in later:
        platforms |= scenario.declared_on(day).platforms
        companies |= scenario.declared_on(day).companies
    assert platforms == scenario.programme.platforms
    assert companies == scenario.programme.companies
