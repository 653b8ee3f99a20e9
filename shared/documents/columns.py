"""The columns of each kind of sheet, and the event that a row of it states."""

from typing import Literal, NamedTuple, get_args

from shared.documents.document import Kind
from shared.wire.events import SiteDeclared
from shared.wire.firmness import FIRMNESS

ColumnType = Literal["name", "party", "product", "choice", "day", "whole", "quantity", "ratio", "text"]

UNIT = "unit"


class Column(NamedTuple):
    """One column: a field of the event, or `unit`."""

    name: str
    type: ColumnType
    meaning: str
    example: str | int
    required: bool = True
    choices: tuple[str, ...] = ()


class KindTerms(NamedTuple):
    """The event that a kind of sheet states, and its columns."""

    event: str  # the name of the event: `type` without prefix and version
    columns: tuple[Column, ...]
    day: str = ""  # the column of the bucket: in a matrix the header holds it
    quantity: str = ""  # the column of wafers: in a matrix the cells hold it


_PRODUCT = Column("product", "product", "the product, as declared, or an item of the profile", "HBM-12H")
_SITE = Column("site", "party", "the site that receives the wafers", "NORTH-1")
_LINE = Column(
    "line", "name", "the name of the line; left out, it is made of product, site, supplier and day", "C-1", False
)
_UNIT = Column(UNIT, "text", "the unit of the quantity, one of the profile's; left out: whole wafers", "wse", False)
_REASON = Column("reason", "text", "a remark, for people", "second shift", False)


def _supplier(default: str, example: str = "memory-one") -> Column:
    return Column("supplier", "party", f"the supplier; left out: {default}", example, False)


def _wafers(meaning: str) -> Column:
    return Column("wafers", "quantity", meaning, 1200)


def _due(meaning: str) -> Column:
    return Column("due", "day", meaning, "2026-07-15")


def _choice(name: str, meaning: str, choices: tuple[str, ...], required: bool = True) -> Column:
    return Column(name, "choice", f"{meaning}: {', '.join(choices)}", choices[-1], required, choices)


def _literals(field: str) -> tuple[str, ...]:
    return get_args(SiteDeclared.model_fields[field].annotation)


TERMS: dict[Kind, KindTerms] = {
    "commits": KindTerms(
        "supply.committed",
        (
            _supplier("the source"), _PRODUCT, _SITE, _LINE,
            _due("the day at the dock"), _wafers("the wafers committed; 0 withdraws the line"),
            _choice("firmness", "the grade", FIRMNESS), _UNIT, _REASON,
        ),
        "due",
        "wafers",
    ),
    "forecasts": KindTerms(
        "demand.forecast",
        (
            _supplier("unattributed"), _PRODUCT, _SITE, _LINE,
            _due("the day at the dock"), _wafers("the wafers forecast; 0 withdraws the line"), _UNIT,
        ),
        "due",
        "wafers",
    ),
    "orders": KindTerms(
        "demand.required",
        (
            _supplier("unattributed"), _PRODUCT, _SITE, _LINE,
            _due("the day at the dock"), _wafers("the wafers ordered; 0 withdraws the line"),
            Column("start_by", "day", "the day of the last start; left out: due less `lead_days` of the profile",
                   "2026-03-01", False),
            Column("priority", "whole", "1 (first) to 9; left out: the profile's, or 5", 5, False),
            _UNIT,
        ),
        "due",
        "wafers",
    ),
    "receipts": KindTerms(
        "shipment.received",
        (
            _supplier("the owner of the shipment"), _PRODUCT, _SITE,
            Column("shipment", "name", "the supplier's name of the shipment", "S-101"),
            Column("owner", "party", "the source that dispatched it; left out: the supplier", "memory-one", False),
            Column("received", "day", "the day of the receipt", "2026-07-15"),
            _wafers("the wafers in good order"),
            Column("wafers_damaged", "quantity", "the wafers damaged; left out: 0", 0, False), _UNIT,
        ),
    ),
    "stock": KindTerms(
        "stock.counted",
        (
            _supplier("unattributed, the whole shelf", "unattributed"), _PRODUCT, _SITE,
            Column("day", "day", "the day at the end of which the wafers were counted", "2026-07-15"),
            Column("counted", "quantity", "the wafers on hand", 1200), _UNIT,
        ),
        "day",
        "counted",
    ),
    "sites": KindTerms(
        "site.declared",
        (
            Column("site", "party", "the id of the site", "NORTH-1"),
            Column("name", "text", "its name", "North campus"),
            Column("country", "text", "two capital letters (ISO 3166)", "US"),
            _choice("mooring", "its kind", _literals("mooring")),
            Column("mw", "whole", "megawatts of facility power", 1200),
            Column("pue_percent", "whole", "power usage effectiveness in percent", 120),
            Column("land_ha", "whole", "hectares of land, where there is any", 400, False),
            Column("waterplane_m2", "whole", "square metres of water, where it floats", 1000, False),
            Column("kg_co2_per_mwh", "whole", "the carbon intensity of its power", 350),
            Column("evidence", "text", "the source of these values", "press release of 2025-09-23"),
            _choice("confidence", "the confidence", _literals("confidence")),
            Column("power_source", "text", "the source of its power", "grid", False),
        ),
    ),
    "products": KindTerms(
        "product.declared",
        (
            Column("product", "product", "the product", "HBM-12H"),
            Column("family", "name", "its family", "HBM", False),
            Column("gb_per_die", "whole", "gigabytes of a die", 3, False),
            Column("die_mm2", "whole", "square millimetres of a die, scribe lane included", 130, False),
            Column("layers", "whole", "dies of a stack", 12, False),
            Column("line_yield", "ratio", "the share of wafers that leave the line", "0.97", False),
            Column("probe_yield", "ratio", "the share of dies that pass the probe", "0.74", False),
            Column("layer_yield", "ratio", "the share of stacks that survive one layer", "0.99", False),
            Column("final_yield", "ratio", "the share that passes the last test", "0.97", False),
            Column("basis", "text", "the source of these values", "assumed", False),
        ),
    ),
}  # fmt: skip
"""Each kind: its event, and its columns in the order of the template."""
