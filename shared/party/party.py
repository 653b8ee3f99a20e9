"""A party at work: its outbox, the sender, the ledger's verdicts, and the intake over HTTP."""

from collections.abc import Sequence
from typing import Any

from prometheus_client import Gauge

from shared.party.completing import greatest_revisions
from shared.party.declared import DeclaredProducts
from shared.party.documents.door import DocumentDoor
from shared.party.intake import VERDICT_TIMEOUT_S, Intake
from shared.party.outbox import Outbox, pack_events
from shared.party.sender import Sender
from shared.party.settings import PartySettings
from shared.party.verdicts import Verdicts
from shared.service.parties import PartiesWatch
from shared.service.readers import Reader
from shared.service.service import Service
from shared.wire.events import Event
from shared.wire.streams import Role


class Party:
    """One source: an event goes through its outbox to its stream, until the ledger has recorded or refused it."""

    def __init__(
        self,
        service: Service,
        settings: PartySettings,
        role: Role,
        *,
        verdict_timeout_s: float = VERDICT_TIMEOUT_S,
    ) -> None:
        self.service = service
        self.role = role
        self.unrecorded_max = settings.unrecorded_max
        service.log = service.tally.log = service.log.bind(source=settings.source)
        self.outbox = Outbox(settings.outbox_dir / f"{settings.source}.db")
        self.verdicts = Verdicts(service, self.outbox)
        self.sender = Sender(service, self.outbox, self.verdicts, role)
        planners = {name for name in settings.planners.split(",") if name} | (
            {settings.source} if role == "planner" else set()
        )
        self.declared = DeclaredProducts(
            service, sorted(planners), settings.outbox_dir / f"{settings.source}.declared.json"
        )
        if settings.parties_file is not None:
            service.run_beside(PartiesWatch(service, settings.parties_file, planners, self._read_planner).run)
        self.intake = Intake(
            service,
            self.outbox,
            self.sender,
            self.verdicts,
            settings=settings,
            declared=self.declared,
            verdict_timeout_s=verdict_timeout_s,
        )
        self.documents = DocumentDoor(self.intake, role, self.declared.catalogue)
        service.facts = lambda: {
            "source": self.outbox.source,
            "position": self.verdicts.through,
            "said": self.outbox.last,
            "recorded": self.verdicts.through,
        }
        Gauge("waferline_outbox_events", "Events not yet recorded", registry=service.registry).set_function(
            lambda: len(self.outbox)
        )
        Gauge("waferline_names", "Names that the source has used", registry=service.registry).set_function(
            lambda: len(self.outbox.names)
        )
        Gauge("waferline_names_max", "Names that the source may use", registry=service.registry).set(settings.names_max)
        service.at_end.append(self.outbox.connection.close)

    def _read_planner(self, role: Role, source: str) -> Reader | None:
        return self.declared.read_planner(source) if role == "planner" else None

    def publish(self, events: Sequence[Event | dict[str, Any]], recorded_at: int | None = None) -> None:
        """Store some events in the outbox, and have them sent."""
        new = (event for event in events if isinstance(event, Event) and event.sequence > self.outbox.last)
        revisions = greatest_revisions(new)
        self.outbox.put([*pack_events(events, recorded_at)], revisions=revisions)
        self.sender.wake()
