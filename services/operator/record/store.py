"""The store of a stack, opened for reading, and its batches checked against their hashes."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from services.ledger.books.chain import seal
from services.ledger.settings import LedgerSettings
from services.ledger.store.batches import BatchContents
from services.ledger.store.migrating import StrangeStore
from services.ledger.store.reader import StoreReader, open_reader
from services.operator.record.failures import database_failures, explain_failure
from services.operator.stack.errors import StackError
from services.operator.stack.folder import StackFolder, expect_finished
from services.operator.stack.location import is_described


def open_store(folder: Path, url: str | None = None, *, any_rules: bool = False) -> StoreReader:
    """Return the store at a URL, or the one in a stack's folder, opened for reading; raise `StackError` if none.

    With `any_rules` the store may still be posted by earlier rules.
    """
    path = StackFolder(folder).ledger_store
    if url is None and is_described(folder):
        raise StackError(
            f"the stack of {folder} runs elsewhere, and its store is not here: name it with --store postgresql://…"
            " where this command takes it, else run this where the store is, with --data"
        )
    if url is None and not path.exists():
        raise StackError(f"{path} is not there: name a stack's folder with --data, or make one with `waferline demo`")
    if url is None:
        expect_finished(folder)
    place = str(path) if url is None else "the store at the URL"
    try:
        if url is None:
            return open_reader(path, any_rules=any_rules)
        return open_reader(url, login=LedgerSettings().store_login(), any_rules=any_rules)
    except StrangeStore as why:
        raise StackError(f"{place}: {why}") from why
    except database_failures() as why:  # psycopg names no password of a well-formed URL
        raise StackError(explain_failure(why)) from why
    except (LookupError, TypeError) as why:  # names, keys and numbers that contradict each other
        raise StackError(
            f"{place} was changed by something other than a ledger ({why!r}); see docs/proof.md: If a proof fails"
        ) from why


def expect_sealed(batches: Iterable[BatchContents]) -> Iterator[BatchContents]:
    """Yield batches as long as each matches its hash; raise `StackError` at the first that does not."""
    for sealed in batches:
        if seal(sealed.document()) != sealed.batch.hash:
            number = sealed.batch.header.batch
            raise StackError(f"batch {number} is not what was sealed: `waferline verify` says more")
        yield sealed
