"""Racks, and wafers of each product, that a megawatt of a platform takes at a site, by the declarations in force."""

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from shared.programme.declarations import Declarations
from shared.programme.wafer_model import facility_at, gb_per_mw, gb_per_wafer, racks_per_mw


class MegawattRate(NamedTuple):
    """Racks, and wafers of each product, that one megawatt of facility power takes."""

    racks: Fraction
    wafers: Mapping[str, Fraction | None]  # None: the product has no wafer model


class MegawattRates:
    """The rates of the platforms that are declared with a rack, with the facility of the programme."""

    def __init__(self, declarations: Declarations) -> None:
        programme = declarations.programme
        self._facility = None if programme is None else programme.facility
        self._platforms, self._models = declarations.platforms, declarations.wafer_models
        self._found: dict[tuple[str, int | None], MegawattRate | None] = {}

    def rate(self, platform: str, pue_percent: int | None) -> MegawattRate | None:
        """Return the rate of a platform at a site of some PUE, that of the facility where the site declares none.

        None where the programme declares no facility, or nobody declares the platform with a rack.
        """
        if (platform, pue_percent) not in self._found:
            self._found[platform, pue_percent] = self._compute(platform, pue_percent)
        return self._found[platform, pue_percent]

    def _compute(self, platform: str, pue_percent: int | None) -> MegawattRate | None:
        declared, facility = self._platforms.get(platform), self._facility
        if facility is None or declared is None or declared.rack is None:
            return None
        if pue_percent is not None:
            facility = facility_at(facility, pue_percent)
        models = self._models
        return MegawattRate(
            racks_per_mw(declared.rack, facility),
            {
                product: gigabytes / gb_per_wafer(models[product]) if product in models else None
                for product, gigabytes in gb_per_mw(declared.rack, facility).items()
            },
        )
