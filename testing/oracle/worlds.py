"""Random logs of all event types: late, reversed, re-dated, diverted, counted, published twice; one for each seed."""

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any
from uuid import UUID

from testing.cloud_events import CloudEvent, Party

START = date(2026, 1, 1)
DAYS = 365
THROUGH = date(2026, 6, 20)
"""Most sources have completed this day, or one of the days before it."""

PRODUCTS = ("HBM4-12H", "DDR5-32G")
SITES = ("TX-ABILENE", "TX-MILAM", "NARVIK")
SUPPLIERS = ("samsung", "skhynix")
DATACENTERS = ("stargate-americas", "stargate-emea")
PLANNER = "planner"
WAFER_MODELS = {
    "HBM4-12H": {"gb_per_die": 3, "die_mm2": 130, "layers": 12, "line_yield": "0.97", "probe_yield": "0.74",
                 "layer_yield": "0.99", "final_yield": "0.97"},
    "DDR5-32G": {"gb_per_die": 4, "die_mm2": 78, "layers": 1, "line_yield": "0.98", "probe_yield": "0.88",
                 "layer_yield": "1", "final_yield": "0.985"},
}  # fmt: skip
FACILITY = {"pue": "1.2", "accelerator_share": "0.9", "server_share": "0", "server_kw": "1", "server_memory_gb": {},
            "spares": "0.03"}  # fmt: skip
GRADES = ("planned", "material", "manufacturing", "firm", "immediate")
ON_TIME = (None, {"days_early": 3, "days_late": 4, "percent_short": 20}, {"days_late": 2}, {"days_early": 0})
"""What programmes tolerate, by their target."""


class World:
    """The parties of a log, and how often each mishap befalls them."""

    def __init__(self, seed: int) -> None:
        self.seed, self.dice = seed, Random(seed)  # noqa: S311
        self.parties = {name: Party(name) for name in (*SUPPLIERS, *DATACENTERS, PLANNER)}
        self.events: list[CloudEvent] = []
        self.wild = self.dice.choice((0.0, 0.1, 0.2, 0.3))
        self.products = PRODUCTS[: self.dice.choice((1, 2, 2))]
        self.suppliers = SUPPLIERS[: self.dice.choice((1, 2, 2))]
        self.shipments = 0

    def generate(self) -> list[CloudEvent]:
        for supplier in self.suppliers:
            for product in self.products:
                self.make(supplier, product)
                self.supply(supplier, product)
        for datacenter in DATACENTERS:
            for product in self.products:
                self.demand(datacenter, product)
        self.reference()
        self.reverse()
        dice, self.dice = self.dice, Random(f"replacements of {self.seed}")  # noqa: S311
        for supplier in self.suppliers:
            self.replace(supplier, self.dice.choice(self.products))
        self.dice = Random(f"declarations of {self.seed}")  # noqa: S311
        self.declare()
        self.dice = Random(f"megawatts of {self.seed}")  # noqa: S311
        self.power()
        self.remark()
        self.dice = Random(f"answers of {self.seed}")  # noqa: S311
        self.answer()
        self.dice = dice  # all else is as it was before worlds had replacements, declarations, megawatts and answers
        self.advance()
        return self.events

    def generate_all(self) -> list[CloudEvent]:
        """Return the events of a world, and one each of what few worlds have, so that none lacks a type of event."""
        self.generate()
        site, product = SITES[0], self.products[0]
        key = {"product": product, "site": site, "supplier": self.suppliers[0]}
        americas, supplier = DATACENTERS[0], self.suppliers[0]
        self.publish(americas, Party.order, START, "O-all", 50, f"{THROUGH + timedelta(days=9)}", **key)
        self.publish(americas, Party.consume, self.day(30, 160), 60, **key, order="O-all")
        self.publish(americas, Party.transfer, self.day(30, 160), 5, SITES[1], **key)
        self.publish(americas, Party.forecast, START, "F-all", 30, f"{THROUGH + timedelta(days=30)}", **key)
        self.publish(americas, Party.open, START, 90, **key)
        self.publish(americas, Party.reverse, THROUGH, self.publish(americas, Party.open, START, 5, **key))
        self.publish(americas, Party.count, self.day(30, 160), 70, **key | {"supplier": "unattributed"}, revision=1)
        self.publish(supplier, Party.commit, self.day(0, 30), "C-all", 45, f"{self.day(80, 120)}", **key)
        self.publish(supplier, Party.dispatch, self.day(60, 70), "S-all", 40, f"{self.day(80, 90)}", "C-all", **key)
        self.publish(supplier, Party.revise, self.day(71, 75), "S-all", f"{self.day(80, 99)}", 1, **key)
        on = self.day(90, 110)
        self.send_back(self.publish(americas, Party.receive, on, "S-all", 30, 2, **key, owner=supplier))
        self.publish(supplier, Party.lose, on, "S-all", 3, **key, owner=supplier)
        self.publish(supplier, Party.end_on, THROUGH, f"{THROUGH}")
        return self.events

    # ---------------------------------------------------------------- dice

    def chance(self, of: float) -> bool:
        return self.dice.random() < of

    def mishap(self) -> bool:
        return self.chance(self.wild)

    def day(self, first: int = 0, last: int = 200) -> date:
        return START + timedelta(days=self.dice.randint(first, last))

    def time(self, on: date) -> str:
        return f"{on}T{self.dice.randint(0, 23):02}:{self.dice.randint(0, 59):02}:{self.dice.randint(0, 59):02}Z"

    def wafers(self, most: int = 120) -> int:
        return self.dice.randint(1, most)

    def site(self) -> str:
        return self.dice.choice(SITES)

    def publish(self, source: str, how: Callable[..., CloudEvent], on: date, *values: Any, **more: Any) -> CloudEvent:
        if how not in (Party.reverse, Party.advance_on, Party.end_on) and self.mishap():
            more = more | {
                "id_": str(UUID(bytes=self.dice.randbytes(16), version=4))
            }  # which tells nothing of the time
        event = how(self.parties[source], self.time(on), *values, **more)
        self.events.append(event)
        return event

    # ---------------------------------------------------------------- suppliers

    def make(self, supplier: str, product: str) -> None:
        """Start lots; some are broken, some finish, better or worse than planned, some are in process still."""
        for n in range(self.dice.randint(0, 8)):
            key = {"product": product, "supplier": supplier, "site": self.dice.choice((*SITES, "unallocated"))}
            lot, on, wafers = f"L-{product}-{n}", self.day(0, 150), self.dice.randint(2, 25)
            self.publish(supplier, Party.start, on, lot, wafers, **key)
            if self.chance(0.3):
                broken = self.dice.randint(1, wafers)
                wafers -= broken
                self.publish(supplier, Party.scrap, on + timedelta(days=self.dice.randint(1, 30)), lot, broken, **key)
            if wafers and self.chance(0.6):
                variance = self.dice.randint(-2, wafers // 2)
                on += timedelta(days=self.dice.randint(31, 90))
                self.publish(supplier, Party.finish, on, lot, wafers - variance, variance, **key)

    def supply(self, supplier: str, product: str) -> None:
        """Commit, revise, dispatch on commits and on none; the receipts follow."""
        if self.chance(0.4):
            first = date(2026, self.dice.randint(1, 6), 1)
            rate, until = self.wafers(900), date(2026, self.dice.randint(7, 12), 28)
            self.publish(
                supplier, Party.agree, START, rate, f"{first}", f"{until}",
                product=product, supplier=supplier, agreement=f"loi-{product}", site="unallocated",
            )  # fmt: skip
        for n in range(self.dice.randint(0, 6)):
            line, due = f"C-{product}-{n}", self.day(20, 300)
            key = {"product": product, "supplier": supplier, "site": self.dice.choice((*SITES, "unallocated"))}
            published = max(START, due - timedelta(days=self.dice.choice((0, 10, 28, 40, 60, 100, 190, 250))))
            published = min(published, THROUGH - timedelta(days=5))
            wafers = self.wafers()
            for revision in range(self.dice.choice((1, 1, 2, 3))):
                self.publish(
                    supplier, Party.commit, published, line, wafers, f"{due}", revision,
                    firmness=self.dice.choice(GRADES), **key,
                )  # fmt: skip
                if self.mishap():
                    self.publish(supplier, Party.commit, published, line, self.wafers(), f"{due}", revision, **key)
                published += timedelta(days=self.dice.randint(0, 40))
                if published > due and not self.mishap():
                    break
                wafers = self.dice.choice((wafers, wafers, self.wafers(), 0))
                due = max(due + timedelta(days=self.dice.choice((0, 0, -14, 7, 30))), START)
                if self.chance(0.15):
                    key = key | {"site": self.site()}
            for _ in range(self.dice.choice((0, 1, 1, 2))):
                self.ship(supplier, product, line, self.site() if key["site"] == "unallocated" else key["site"])
        if self.chance(0.4):
            self.ship(supplier, product, None, self.site())

    def replace(self, supplier: str, product: str) -> None:
        """Lower the commits of two months bit by bit, and make others in their place: for the most part, that is."""
        key = {"product": product, "supplier": supplier, "site": self.site()}
        begun, due = self.day(0, 20), self.day(40, 160)
        dues = {"M-1": due, "M-2": due + timedelta(days=self.dice.randint(0, 35))}
        left = {line: self.wafers() for line in dues}
        for line, wafers in left.items():
            self.publish(supplier, Party.commit, begun, line, wafers, f"{dues[line]}", **key, firmness="planned")
        for n in range(1, self.dice.randint(2, 5)):
            on = begun + timedelta(days=7 * n)
            for line, planned in dues.items():
                left[line] = self.dice.choice((left[line], left[line] // 2, left[line] // 2, 0))
                moved = timedelta(days=5 if self.mishap() else 0)
                self.publish(supplier, Party.commit, on, line, left[line], f"{planned + moved}", n, **key)
                on += timedelta(days=1 if self.mishap() else 0)
            for week in range(self.dice.randint(0, 2)):
                new = {"line": f"M-{n}-{week}", "due": f"{due + timedelta(days=self.dice.randint(-40, 60))}"}
                self.publish(supplier, Party.commit, on, wafers=self.wafers(80), **new, **key)
                if self.mishap():
                    self.publish(supplier, Party.commit, on, wafers=self.wafers(80), revision=1, **new, **key)

    def ship(self, supplier: str, product: str, commit: str | None, site: str) -> None:
        """Dispatch a shipment, whole or in parts; it is late, diverted, received in parts, damaged or lost."""
        self.shipments += 1
        shipment, sent = f"S-{self.shipments}", self.day(10, 175)
        eta = sent + timedelta(days=self.dice.randint(1, 25))
        key = {"product": product, "supplier": supplier, "site": site}
        total = 0
        for part in range(2 if self.mishap() else 1):
            wafers = self.wafers(80)
            total += wafers
            named = commit
            if commit is not None and self.mishap():
                named = commit.replace(product, self.dice.choice(PRODUCTS))
            self.publish(
                supplier, Party.dispatch, sent + timedelta(days=part * self.dice.randint(0, 9)), shipment, wafers,
                f"{eta + timedelta(days=part * self.dice.randint(-3, 12))}", named, **key,
            )  # fmt: skip
        for revision in range(1, self.dice.choice((1, 1, 2, 3))):
            eta += timedelta(days=self.dice.randint(-4, 20))
            site = self.site() if self.chance(0.3) else site
            key = key | {"site": site}
            self.publish(supplier, Party.revise, sent + timedelta(days=revision), shipment, f"{eta}", revision, **key)
        self.arrive(supplier, product, shipment, site, max(eta, sent + timedelta(days=10)), total)

    def arrive(self, supplier: str, product: str, shipment: str, site: str, on: date, total: int) -> None:
        datacenter = DATACENTERS[site == "NARVIK"]
        while total > 0 and on <= THROUGH + timedelta(days=5) and self.chance(0.85):
            said = self.dice.choice((*SUPPLIERS, "unattributed")) if self.mishap() else supplier
            key = {"product": product, "supplier": said, "site": self.site() if self.mishap() else site}
            part = self.dice.randint(1, total)
            if self.mishap():
                part += self.wafers(10)
            on_day = START + timedelta(days=self.dice.randint(0, 160)) if self.mishap() else on
            if self.chance(0.1):
                source = self.dice.choice((supplier, datacenter))
                key = key | ({"supplier": supplier} if source == supplier else {})
                self.publish(source, Party.lose, on_day, shipment, part, owner=supplier, **key)
            else:
                damaged = self.dice.randint(0, min(4, part)) if self.chance(0.2) else 0
                received = self.publish(
                    datacenter, Party.receive, on_day, shipment, part - damaged, damaged, owner=supplier, **key
                )
                if self.chance(0.2):
                    self.send_back(received)
            total -= part
            on += timedelta(days=self.dice.randint(0, 9))

    def send_back(self, received: CloudEvent) -> None:
        """Send some wafers of a receipt back to the supplier; too many, or under another supplier, by mishap."""
        data = received["data"]
        on = date.fromisoformat(received["time"][:10]) + timedelta(days=self.dice.randint(0, 20))
        back = {name: data[name] for name in ("owner", "product", "site", "supplier")}
        wafers = self.dice.randint(1, max(1, data["wafers"]))
        if self.mishap():
            wafers += self.wafers(10)
            back |= {"supplier": self.dice.choice((*SUPPLIERS, "unattributed"))}
        self.publish(received["source"], Party.send_back, on, data["shipment"], wafers, reason="warped", **back)

    # ---------------------------------------------------------------- datacenters

    def demand(self, datacenter: str, product: str) -> None:
        """Open stock, order, forecast, consume, transfer and count."""
        sites = SITES[:2] if datacenter == DATACENTERS[0] else SITES[2:]
        for site in sites:
            supplier = self.dice.choice(self.suppliers)
            key = {"product": product, "site": site, "supplier": supplier}
            if self.chance(0.7):
                self.publish(datacenter, Party.open, self.day(0, 10), self.wafers(300), **key)
            for n in range(self.dice.randint(0, 6)):
                self.order(datacenter, f"O-{product}-{site}-{n}", key)
            for n in range(self.dice.randint(0, 3)):
                due = self.day(*self.dice.choice(((60, 340), (160, 180))))
                self.publish(
                    datacenter,
                    Party.forecast,
                    self.day(0, 60),
                    f"F-{product}-{site}-{n}",
                    self.wafers(),
                    f"{due}",
                    **key,
                )
            for _ in range(self.dice.randint(0, 4)):
                consumed = key | {"supplier": "unattributed"} if self.mishap() else key
                order = {"order": f"O-{product}-{site}-{self.dice.randint(0, 5)}"} if self.mishap() else {}
                self.publish(datacenter, Party.consume, self.day(10, 172), self.wafers(60), **consumed, **order)
            if self.chance(0.3):
                to_site = self.dice.choice(SITES)
                self.publish(datacenter, Party.transfer, self.day(20, 172), self.wafers(40), to_site, **key)
            for _ in range(self.dice.choice((0, 0, 1, 2))):
                counted = key | {"supplier": "unattributed"} if self.mishap() else key
                again = {"revision": self.dice.randint(0, 2)} if self.mishap() else {}
                on = self.day(20, 172)
                self.publish(datacenter, Party.count, on, self.wafers(200), **counted, **again)
                if self.mishap():
                    self.publish(datacenter, Party.count, on, self.wafers(200), **counted)

    def order(self, datacenter: str, line: str, key: dict[str, str]) -> None:
        due, published = self.day(*self.dice.choice(((20, 350), (160, 180)))), self.day(0, 120)
        wafers = self.wafers()
        for revision in range(self.dice.choice((1, 1, 2, 3))):
            start_by = max(START, due - timedelta(days=self.dice.randint(60, 150)))
            self.publish(
                datacenter, Party.order, published, line, wafers, f"{due}", revision, start_by=f"{start_by}", **key
            )
            if self.mishap():
                self.publish(datacenter, Party.order, published, line, self.wafers(), f"{due}", revision, **key)
            published += timedelta(days=self.dice.randint(0, 50))
            wafers = self.dice.choice((wafers, self.wafers(), self.wafers(), 0))
            due = min(max(due + timedelta(days=self.dice.choice((0, 0, -20, 9, 40))), START), date(2026, 12, 30))
            if self.wild and self.chance(0.03):
                due = date(2027, 6, 1)

    # ---------------------------------------------------------------- of no single one

    def reference(self) -> None:
        """Declare a site and plan a phase: they carry no wafers."""
        americas = DATACENTERS[0]
        self.publish(
            americas, Party.publish, START, "site.declared",
            site="TX-ABILENE", name="Abilene", country="US", mooring="onshore", mw=1200, pue_percent=125, land_ha=400,
            waterplane_m2=None, kg_co2_per_mwh=370, evidence="made up", confidence="assumed", revision=0,
        )  # fmt: skip
        self.publish(
            americas, Party.publish, START, "phase.planned",
            site="TX-ABILENE", phase="p1", mw=200, platform="GB300", energise_on="2026-06-01", status="planned",
            revision=0,
        )  # fmt: skip

    def declare(self) -> None:
        """Declare the products, a platform and the programme, revised, withdrawn or reversed: they carry no wafers."""
        for product in self.products:
            for revision in range(self.dice.choice((1, 1, 2))):
                withdrawn = revision > 0 and self.mishap()
                self.publish(
                    PLANNER, Party.publish, self.day(0, 100), "product.declared",
                    product=product, revision=revision, withdrawn=withdrawn, wafer_model=WAFER_MODELS[product],
                )  # fmt: skip
        rack = {"rack_kw": 900, "accelerators": 72, "memory_gb": dict.fromkeys(self.products, 3_000)}
        self.publish(PLANNER, Party.publish, START, "platform.declared", platform="GB300", rack=rack, revision=0)
        for revision in range(self.dice.choice((1, 2, 3))):
            target = {"wafers_per_month": self.dice.randint(100, 5000), "basis": "made up"}
            on_time = ON_TIME[target["wafers_per_month"] % len(ON_TIME)]
            for _ in range(2 if self.mishap() else 1):
                declared = self.publish(
                    PLANNER, Party.publish, self.day(0, 160), "programme.declared",
                    programme=f"programme-{self.dice.randint(1, 2)}", revision=revision,
                    target=None if self.mishap() else target, withdrawn=revision > 0 and self.mishap(), on_time=on_time,
                    facility=FACILITY,
                )  # fmt: skip
                if self.mishap():
                    self.publish(PLANNER, Party.reverse, self.day(100, 170), declared)

    def power(self) -> None:
        """Plan phases of two platforms, some on before they are stated, put off, paused, or of no known rack."""
        rack = {"rack_kw": 700, "accelerators": 72, "memory_gb": {self.products[-1]: 2_000}}
        self.publish(PLANNER, Party.publish, START, "platform.declared", platform="VR", rack=rack, revision=0)
        rack = rack | {"memory_gb": {self.products[-1]: 3_000}}
        self.publish(
            PLANNER, Party.publish, self.day(30, 150), "platform.declared", platform="VR", rack=rack, revision=1
        )
        for n in range(self.dice.randint(0, 4)):
            platform, mw = self.dice.choice(("GB300", "VR", "VR", "NEW" if self.mishap() else "GB300")), self.wafers(90)
            site = self.dice.choice(SITES[:2])
            for revision in range(self.dice.choice((1, 1, 2))):
                self.publish(
                    DATACENTERS[0], Party.publish, self.day(0, 60), "phase.planned",
                    site=site, phase=f"q{n}", mw=mw, platform=platform, energise_on=f"{self.day(-30, 250)}",
                    status="paused" if self.mishap() else "planned", revision=revision,
                    follows={"milestone": "hull", "days": self.dice.randint(0, 60)} if self.chance(0.4) else None,
                )  # fmt: skip
        for revision in range(self.dice.choice((1, 1, 2))):
            self.publish(
                DATACENTERS[0], Party.publish, self.day(0, 100), "milestone.reported",
                site=SITES[0], milestone="hull", day=f"{self.day(20, 200)}", revision=revision,
            )  # fmt: skip

    def remark(self) -> None:
        """Declare a company, and remark on an alert and a site: they change no number."""
        role = {"role": "owner", "of": "site", "name": SITES[0]}
        self.publish(PLANNER, Party.publish, START, "party.declared", party="owner", roles=[role], revision=0)
        alert = f"short_within/{self.products[0]}/{SITES[0]}/{THROUGH}"
        self.publish(PLANNER, Party.publish, self.day(), "alert.acknowledged", alert=alert, revision=0)
        self.publish(
            PLANNER, Party.publish, self.day(), "note.added", note="n1", about=f"site/{SITES[0]}", text="a", revision=0
        )

    def reverse(self) -> None:
        """Reverse some events, some of them twice, and some of the reversals."""
        reversals = []
        for event in list(self.events):
            if self.chance(0.05):
                source = event["source"]
                reversals.append(self.publish(source, Party.reverse, self.day(100, 170), event))
                if self.chance(0.2):
                    self.publish(source, Party.reverse, self.day(100, 170), event)
        for event in reversals:
            if self.chance(0.2):
                self.publish(event["source"], Party.reverse, self.day(100, 170), event)

    def answer(self) -> None:
        """Let commits follow from events of the same product and site, or of any: most of these state demand."""
        for event in self.events:
            if event["type"] == "waferline.supply.committed.v1" and self.chance(0.6):
                place = {name: event["data"][name] for name in ("product", "site")}
                near = [each for each in self.events if place.items() <= each["data"].items()]
                demand = [each for each in near if each["type"].startswith("waferline.demand.")]
                event["causationid"] = self.dice.choice((demand or near)[-4:] if self.chance(0.8) else near)["id"]

    def advance(self) -> None:
        """Close days; a day closed too early is taken back, a source that never closes one says little."""
        completing = (*SUPPLIERS, *DATACENTERS)
        silent = self.dice.choice(completing) if self.mishap() else None
        for name in completing:
            if name == silent or not any(event["source"] == name for event in self.events):
                continue
            through = THROUGH - timedelta(days=self.dice.choice((0, 0, 0, 1, 5)))
            for on in (through - timedelta(days=30), through):
                self.publish(name, Party.advance_on, on, f"{on}")
            if self.wild and self.chance(0.05):
                self.publish(name, Party.end_on, through, f"{through}")
            if self.mishap():
                too_early = self.publish(name, Party.advance_on, through, f"{through + timedelta(days=3)}")
                self.publish(name, Party.reverse, through, too_early)
