"""CloudEvents as plain dicts, a few words each: for logs that a test writes out. It imports none of the services."""

from hashlib import sha256
from typing import Any

CloudEvent = dict[str, Any]

KEY = {"product": "HBM4-12H", "site": "TX-ABILENE", "supplier": "samsung"}


class Party:
    """A source that publishes events: it gives each the next sequence, and an id that grows with the time.

    `on` is a day, 2026-10-05, which stands for its noon, or a time, 2026-10-05T08:00:00Z.
    """

    def __init__(self, source: str, **key: str) -> None:
        self.source, self.key, self.sequence = source, KEY | key, 0

    def publish(self, on: str, name: str, /, *, id_: str | None = None, **data: Any) -> CloudEvent:
        self.sequence += 1
        time = on if "T" in on else f"{on}T12:00:00Z"
        return {
            "specversion": "1.0",
            "id": id_ or _id_of(time, self.source, self.sequence),
            "source": self.source,
            "type": f"waferline.{name}.v1",
            "time": time,
            "sequence": str(self.sequence),
            "data": data,
        }

    def move(self, on: str, name: str, id_: str | None = None, **data: Any) -> CloudEvent:
        """Publish an event that has a product, a site and a supplier."""
        return self.publish(on, name, id_=id_, **(self.key | data))

    # ---------------------------------------------------------------- of a supplier

    def agree(self, on: str, wafers_per_month: int, starts_on: str, ends_on: str, **more: Any) -> CloudEvent:
        data = {"agreement": "loi", "instrument": "LOI", "revision": 0} | more
        return self.move(
            on, "supply.agreed", wafers_per_month=wafers_per_month, starts_on=starts_on, ends_on=ends_on, **data
        )

    def commit(self, on: str, line: str, wafers: int, due: str, revision: int = 0, **more: Any) -> CloudEvent:
        data = {"firmness": "firm"} | more
        return self.move(on, "supply.committed", line=line, wafers=wafers, due=due, revision=revision, **data)

    def start(self, on: str, lot: str, wafers: int = 25, **more: Any) -> CloudEvent:
        return self.move(on, "lot.started", **({"lot": lot, "wafers": wafers, "fab": "P4", "due_out": on[:10]} | more))

    def scrap(self, on: str, lot: str, wafers: int, **more: Any) -> CloudEvent:
        return self.move(on, "lot.scrapped", lot=lot, wafers=wafers, cause="broken", **more)

    def finish(self, on: str, lot: str, wafers: int, yield_variance: int = 0, **more: Any) -> CloudEvent:
        return self.move(on, "lot.finished", lot=lot, wafers=wafers, yield_variance=yield_variance, **more)

    def dispatch(
        self, on: str, shipment: str, wafers: int, eta: str, commit: str | None = None, **more: Any
    ) -> CloudEvent:
        data = {"shipment": shipment, "wafers": wafers, "eta": eta, "commit": commit, "lots": []} | more
        return self.move(on, "shipment.dispatched", **data)

    def revise(self, on: str, shipment: str, eta: str, revision: int = 1, **more: Any) -> CloudEvent:
        return self.move(on, "shipment.revised", shipment=shipment, eta=eta, revision=revision, **more)

    # ---------------------------------------------------------------- of a datacenter

    def forecast(self, on: str, line: str, wafers: int, due: str, revision: int = 0, **more: Any) -> CloudEvent:
        return self.move(on, "demand.forecast", line=line, wafers=wafers, due=due, revision=revision, **more)

    def order(self, on: str, line: str, wafers: int, due: str, revision: int = 0, **more: Any) -> CloudEvent:
        data = {"start_by": "2026-01-05", "priority": 1} | more
        return self.move(on, "demand.required", line=line, wafers=wafers, due=due, revision=revision, **data)

    def receive(self, on: str, shipment: str, wafers: int, damaged: int = 0, **more: Any) -> CloudEvent:
        data = {"shipment": shipment, "owner": "samsung", "wafers": wafers, "wafers_damaged": damaged} | more
        return self.move(on, "shipment.received", **data)

    def send_back(self, on: str, shipment: str, wafers: int, **more: Any) -> CloudEvent:
        data = {"shipment": shipment, "owner": "samsung", "wafers": wafers} | more
        return self.move(on, "shipment.returned", **data)

    def consume(self, on: str, wafers: int, **more: Any) -> CloudEvent:
        """Publish a consumption; `order` names the order that it is for."""
        return self.move(on, "wafers.consumed", **({"wafers": wafers, "phase": "p1"} | more))

    def open(self, on: str, wafers: int, **more: Any) -> CloudEvent:
        return self.move(on, "stock.opened", wafers=wafers, **more)

    def transfer(self, on: str, wafers: int, to_site: str, **more: Any) -> CloudEvent:
        return self.move(on, "stock.transferred", wafers=wafers, to_site=to_site, **more)

    def count(self, on: str, counted: int, **more: Any) -> CloudEvent:
        return self.move(on, "stock.counted", counted=counted, **more)

    def declare(self, on: str, **more: Any) -> CloudEvent:
        data = {
            "site": "TX-ABILENE", "name": "Abilene", "country": "US", "mooring": "onshore", "mw": 1200,
            "pue_percent": 120, "land_ha": 350, "waterplane_m2": None, "kg_co2_per_mwh": 380, "evidence": "",
            "confidence": "sourced", "revision": 0,
        }  # fmt: skip
        return self.publish(on, "site.declared", **(data | more))

    # ---------------------------------------------------------------- of either

    def lose(self, on: str, shipment: str, wafers: int, **more: Any) -> CloudEvent:
        return self.move(on, "shipment.lost", **({"shipment": shipment, "owner": "samsung", "wafers": wafers} | more))

    def reverse(self, on: str, event: CloudEvent) -> CloudEvent:
        return self.publish(on, "event.reversed", reversed=event["id"], reason="published in error")

    def advance(self, through: str, on: str | None = None) -> CloudEvent:
        return self.publish(on or f"{through}T23:59:59Z", "source.advanced", through=through)

    def advance_on(self, on: str, through: str) -> CloudEvent:
        return self.advance(through, on=on)

    def end_on(self, on: str, through: str, successor: str | None = None) -> CloudEvent:
        return self.publish(on, "source.ended", through=through, successor=successor)


def _id_of(time: str, source: str, sequence: int) -> str:
    """Return an id of version 7, made of the time's digits: those of later times are greater."""
    digits = "".join(character for character in time if character.isdigit()).ljust(17, "0")[2:14]
    rest = sha256(f"{source} {sequence}".encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-7{rest[:3]}-8{rest[3:6]}-{rest[6:18]}"
