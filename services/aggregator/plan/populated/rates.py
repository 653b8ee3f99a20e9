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
        self._declarations, self._models = declarations, declarations.wafer_models
        self._found: dict[tuple[str, int | None, int], MegawattRate | None] = {}

    def rate(self, platform: str, pue_percent: int | None, energise_on: int) -> MegawattRate | None:
        """Return the rate of a platform at a site of some PUE, that of the facility where the site declares none.

        The rack is that of the platform as declared by the day on which a phase is energised: a later revision changes
        no rack that runs. None where the programme declares no facility, or nobody declares the platform with a rack.
        """
        asked = platform, pue_percent, energise_on
        if asked not in self._found:
            self._found[asked] = self._compute(*asked)
        return self._found[asked]

    def _compute(self, platform: str, pue_percent: int | None, energise_on: int) -> MegawattRate | None:
        declared, facility = self._declarations.platform_on(platform, energise_on), self._facility
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
