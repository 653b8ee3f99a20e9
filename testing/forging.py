"""Forgery by an attacker that can write to the store and knows its format."""

from contextlib import closing
from pathlib import Path

from services.ledger.books.chain import document, seal
from services.ledger.store.addresses import connect
from services.ledger.store.writer import StoreWriter


def seal_again(path: Path, first: int) -> None:
    """Compute the hashes of a batch and of all later ones again, so that the chain holds."""
    with closing(StoreWriter(connect(path))) as store:  # `open_writer` refuses a last batch that was altered
        previous = store.hash_of(first - 1)
        for sealed in store.sealed_batches(first - 1):
            header = sealed.batch.header._replace(previous=previous)
            previous = seal(document(header, sealed.bodies, sealed.refusals))
            store.database.execute("UPDATE batches SET hash = ? WHERE batch = ?", (previous, header.batch))
        store.database.execute("UPDATE head SET hash = ?", (previous,))
