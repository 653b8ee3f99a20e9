"""The ledger's wiring: the parties' streams in; postings, verdicts and checkpoints out; HTTP for queries."""

import asyncio
import time
from functools import partial
from pathlib import Path

from services.ledger.checkpoint.files import read_signer
from services.ledger.http.rehearsal import PATH as REHEARSAL
from services.ledger.http.routes import routes
from services.ledger.live.checkpoints import CheckpointSigner
from services.ledger.live.meters import LedgerMeters
from services.ledger.live.publisher import BatchPublisher
from services.ledger.live.recorder import PartyRecorder, StreamWatch
from services.ledger.settings import LedgerSettings
from services.ledger.store.reader import open_reader
from services.ledger.store.writer import StoreWriter, open_writer
from shared.http.access import AUDIT
from shared.http.request_bounds import BodyBound
from shared.http.turns import PastTurns
from shared.service.parties import PartiesWatch
from shared.service.readers import Reader
from shared.service.service import Service
from shared.wire.streams import Role

_RESTATEMENT_LOG_INTERVAL_S = 5.0


def build_app(settings: LedgerSettings) -> Service:
    """Return the ledger: it records every party's stream from the stored offset on, and publishes the batches."""
    service = Service("ledger", settings)
    store = _open_store(service, settings)
    _sign_checkpoints(service, settings, store)
    meters = LedgerMeters(service.registry, store)
    service.facts = lambda: {
        "position": store.head.batch,
        "events": store.last_event,
        "head": store.head.hash.hex(),
        "told": meters.published,
    }
    turns = PastTurns(settings.past_queries_max, "WAFERLINE_PAST_QUERIES_MAX")
    turns.export(service.registry)
    reopen = partial(open_reader, settings.ledger_store, login=settings.store_login())
    roles = dict[str, Role]()
    service.routes += routes(store, reopen, turns.take, roles)
    service.bodies[REHEARSAL] = BodyBound(settings.rehearsal_bytes_max, "WAFERLINE_REHEARSAL_BYTES_MAX")
    service.describe(Path(__file__).parent / "http" / "examples.json", scope=AUDIT)
    service.at_end.append(store.close)

    new_batches = asyncio.Event()

    def add_party(role: Role, source: str) -> Reader:
        meters.begin(source)
        roles[source] = role
        recorder = PartyRecorder(
            service, store, meters, new_batches, role, source, trust_recorded=settings.trust_recorded
        )
        after = store.offsets().get(recorder.stream, "0-0")
        service.reads(recorder.stream, after=after, batch_max=settings.read_max)(recorder.record)
        return service.readers[-1]

    for role, source in settings.parties():
        add_party(role, source)
    if settings.parties_file is not None:
        known = {source for _, source in settings.parties()}
        service.run_beside(PartiesWatch(service, settings.parties_file, known, add_party).run)
    service.run_beside(StreamWatch(service).run)
    publisher = BatchPublisher(service, store, meters, new_batches)
    service.at_start.append(publisher.find_position)
    service.run_beside(publisher.run)
    return service


def _open_store(service: Service, settings: LedgerSettings) -> StoreWriter:
    """Return the store; the log has a line on its restatement every few seconds, and one of its postings at the end."""
    began = logged = time.monotonic()

    def advance(position: int) -> None:
        nonlocal logged
        if time.monotonic() - logged > _RESTATEMENT_LOG_INTERVAL_S:
            logged = time.monotonic()
            service.log.info("batches_replayed", position=position)

    epoch = time.time_ns() // 1_000_000
    store = open_writer(settings.ledger_store, epoch=epoch, login=settings.store_login(), advance=advance)
    if store.restated is not None:
        through, batches, postings = store.restated
        ms = round((time.monotonic() - began) * 1000)
        service.log.info(
            "store_restated", through=through, batches=batches, postings=postings, position=store.head.batch, ms=ms
        )
    return store


def _sign_checkpoints(service: Service, settings: LedgerSettings, store: StoreWriter) -> None:
    if settings.checkpoint_key is None:
        return
    signer = read_signer(settings.checkpoint_key)
    checkpoints = CheckpointSigner(service, store, signer, settings.checkpoints, settings.checkpoint_every_s)
    service.run_beside(checkpoints.run)
    service.at_end.append(checkpoints.sign_last)
