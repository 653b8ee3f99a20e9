"""The oracle's megawatts populated: rack by rack, from the documents alone.

A phase that is on takes ⌊ megawatts x wafers a megawatt ⌋ of each product, and has ⌊ megawatts x racks a megawatt ⌋
racks, at least one. Wafers a megawatt follow from the rack, the facility at the site's own PUE, and the product's
wafer.
"""

from fractions import Fraction
from math import ceil, floor, pi, sqrt
from typing import Any

from testing.cloud_events import CloudEvent
from testing.oracle.book import Book, day, day_of, name_of, on_hand_by, rank

Phase = tuple[int, int, dict[str, int]]  # megawatts, racks, wafers of each product


class Megawatts:
    """The megawatts of the sites of a log, populated on some day."""

    def __init__(self, book: Book, today: int) -> None:
        self.book, self.today = book, today
        self.models = {name: data.get("wafer_model") for name, data in self._declared("product").items()}
        self.racks = {name: data.get("rack") for name, data in self._declared("platform").items()}
        programme = max(book.of("programme.declared"), key=rank, default=None)
        is_declared = programme is not None and not programme["data"].get("withdrawn")
        self.facility = programme["data"].get("facility") if programme is not None and is_declared else None

    def _declared(self, what: str) -> dict[str, Any]:
        """Return the products or platforms in force, by name."""
        of_name: dict[str, list[CloudEvent]] = {}
        for event in self.book.of(f"{what}.declared"):
            of_name.setdefault(event["data"][what], []).append(event)
        held = {name: max(events, key=rank)["data"] for name, events in of_name.items()}
        return {name: data for name, data in held.items() if not data.get("withdrawn")}

    def cells(self, site: str, on: int, product: str | None = None) -> dict[str, Any]:
        """Return what a site's month that ends on a day says of its megawatts."""
        phases = self._phases(site, on)
        if phases is None:
            return {"mw_populated": None, "mw_waiting": None, "waits_for": None}
        wanted = {name for _, _, wafers in phases for name in wafers}
        if product is not None:
            wanted &= {product}
        at_hand = {name: self._at_hand(site, name, on) for name in sorted(wanted)}
        populated = floor(self._run(phases, at_hand) * 10)
        total = sum(mw for mw, _, _ in phases)
        waiting = {name: total - self._run(phases, {name: wafers}) for name, wafers in at_hand.items()}
        missing = {name for name, wafers in at_hand.items() if sum(each.get(name, 0) for _, _, each in phases) > wafers}
        first = sorted(missing, key=lambda name: (-waiting[name], name))
        return {
            "mw_populated": populated / 10,
            "mw_waiting": (10 * total - populated) / 10,
            "waits_for": first[0] if first else None,
        }

    def _phases(self, site: str, on: int) -> list[Phase] | None:
        """Return the phases that are on at the end of a day, in the order of their days; None: one is not known."""
        declared = [event for event in self.book.of("site.declared") if event["data"]["site"] == site]
        pue = Fraction(max(declared, key=rank)["data"]["pue_percent"], 100) if declared else None
        found: list[tuple[int, str, Phase]] = []
        for (_, name), statements in self.book.statements("phase.planned", "phase").items():
            data = statements[-1]["data"]
            day_on = self._energises(data)
            if data["site"] != site or data["status"] != "planned" or day_on > on:
                continue
            rack = self._rack(data["platform"], day_on)
            if rack is None or self.facility is None:
                return None
            mw = data["mw"]
            a_megawatt = 1000 / (Fraction(self.facility["pue"]) if pue is None else pue)
            racks = a_megawatt * Fraction(self.facility["accelerator_share"]) / rack["rack_kw"]
            wafers = {}
            if day_on >= self._first_stated(statements[-1]):  # else its memory came before the log
                spared = 1 + Fraction(self.facility["spares"])
                for product, gigabytes in rack["memory_gb"].items():
                    model = self.models.get(product)
                    if model is None:
                        return None
                    wafers[product] = floor(mw * racks * gigabytes * spared / _good_gigabytes(model))
            found.append((day_on, name, (mw, max(1, floor(mw * racks)), wafers)))
        return [phase for _, _, phase in sorted(found, key=lambda each: each[:2])]

    def _first_stated(self, phase: CloudEvent) -> int:
        """Return the day on which a phase was first stated, by an event that was reversed too."""
        name = phase["source"], phase["data"]["phase"]
        stated = [event for event in self.book.events if name_of(event) == "phase.planned"]
        return min(day_of(event) for event in stated if (event["source"], event["data"]["phase"]) == name)

    def _rack(self, platform: str, day_on: int) -> Any:
        """Return the rack of a platform in force, as declared by a day, or else first."""
        if platform not in self.racks:
            return None
        stated = [event for event in self.book.of("platform.declared") if event["data"]["platform"] == platform]
        stated = sorted((event for event in stated if not event["data"].get("withdrawn")), key=rank)
        by_then = [event for event in stated if day_of(event) <= day_on]
        return (by_then[-1] if by_then else stated[0])["data"].get("rack")

    def _energises(self, phase: dict[str, Any]) -> int:
        """Return the day on which a phase is on: as it is stated, or so many days after its milestone."""
        follows = phase.get("follows") or {}
        place = phase["site"], follows.get("milestone")
        reports = [
            event
            for event in self.book.of("milestone.reported")
            if (event["data"]["site"], event["data"]["milestone"]) == place
        ]
        if not reports:
            return day(phase["energise_on"])
        return day(max(reports, key=rank)["data"]["day"]) + int(follows["days"])

    def _at_hand(self, site: str, product: str, on: int) -> int:
        """Return what is installed and on hand on a day, on one to come with what is due until then."""
        pair = product, site
        moved = [each for each in self.book.movements if each.key[:2] == pair and each.day <= on]
        installed = sum(each.wafers for each in moved if each.what == "consumed")
        on_the_way = [(part.eta, rest) for part, rest in self.book.on_the_way() if part.key[:2] == pair]
        promised = [(due, wafers) for key, due, _, wafers in self.book.open_commits if key[:2] == pair]
        to_come = sum(wafers for due, wafers in on_the_way + promised if self.today <= due <= on)
        return installed + max(0, sum(map(on_hand_by, moved))) + to_come

    @staticmethod
    def _run(phases: list[Phase], at_hand: dict[str, int]) -> Fraction:
        """Return the megawatts of the racks for which all products at hand suffice; of others there is plenty."""
        left, megawatts = dict(at_hand), Fraction(0)
        for mw, racks, wafers in phases:
            needed = {name: each for name, each in wafers.items() if name in left}
            running = 0
            while running < racks and all(
                Fraction(each * (running + 1), racks) <= left[name] for name, each in needed.items()
            ):
                running += 1
            for name, each in needed.items():
                left[name] -= ceil(Fraction(each * running, racks))
            megawatts += Fraction(mw * running, racks)
        return megawatts


def _good_gigabytes(model: dict[str, Any]) -> Fraction:
    """Return the good gigabytes of a wafer of 294 mm, in the form of de Vries."""
    area = model["die_mm2"]
    dies = floor(pi * 294**2 / (4 * area) - pi * 294 / sqrt(2 * area))
    layers = Fraction(model["layer_yield"]) ** model["layers"]
    yields = Fraction(model["line_yield"]) * Fraction(model["probe_yield"]) * layers * Fraction(model["final_yield"])
    return dies * model["gb_per_die"] * yields
