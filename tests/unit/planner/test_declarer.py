"""A planner keeps the fields in force that an entry does not name."""

from services.planner.declarer import merge

IN_FORCE = {
    "programme": {"name": "p", "target": {"wafers_per_month": 9, "basis": "A"}, "title": "T"},
    "products": {"X": {"family": "HBM", "basis": "A"}},
    "platforms": {"R": {"rack_kw": 1, "memory_gb": {"X": 1}}},
}


def test_fields_that_are_not_named_stay():
    assert merge(IN_FORCE, {"products": {"X": {"basis": "B"}, "Y": {}}}) == {
        "products": {"X": {"family": "HBM", "basis": "B"}, "Y": {}}
    }
    for named in ({"memory_gb": {"Z": 2}}, {"rack": {"memory_gb": {"Z": 2}}}):  # as a file has it, and as an event
        assert merge(IN_FORCE, {"platforms": {"R": named}})["platforms"]["R"] == {
            "rack": {"rack_kw": 1, "memory_gb": {"X": 1, "Z": 2}}
        }
    assert merge(IN_FORCE, {"programme": {"name": "q", "target": {"wafers_per_month": 8}}})["programme"] == {
        "name": "q", "target": {"wafers_per_month": 8, "basis": "A"}, "title": "T"
    }  # fmt: skip


def test_the_roles_of_a_company_stay_where_they_are_not_named():
    roles = [{"role": "tenant", "of": "site", "name": "north"}]
    in_force = IN_FORCE | {"companies": {"cloud": {"name": "Cloud", "roles": roles}}}

    merged = merge(in_force, {"companies": {"cloud": {"name": "Cloud One"}, "yard": {}}})

    assert merged == {"companies": {"cloud": {"name": "Cloud One", "roles": roles}, "yard": {}}}


def test_malformed_entries_are_left_to_the_check():
    assert merge(IN_FORCE, {"products": [], "programme": None}) == {"products": [], "programme": None}
