"""Signed checkpoints of a store: reading the kept ones, comparing them with the store, signing a new one."""

from pathlib import Path

from services.ledger.checkpoint.files import append_checkpoint, make_key, read_checkpoints, read_signer
from services.ledger.checkpoint.keys import Untrusted, read_verifier
from services.ledger.checkpoint.notes import Checkpoint, checkpoint_of, sign_checkpoint
from services.ledger.store.reader import StoreReader
from services.operator.record.curves import fold
from services.operator.stack.errors import StackError
from services.operator.stack.folder import StackFolder


def find_contradiction(store: StoreReader, checkpoint: Checkpoint) -> str | None:
    """Return how a store contradicts a checkpoint, None if it agrees."""
    if checkpoint.epoch != store.epoch:
        return f"it is of the store of epoch {checkpoint.epoch}, and this is {store.epoch}"
    if checkpoint.batch > store.head.batch:
        return f"the chain ends at batch {store.head.batch}, and {checkpoint.batch} was signed: its tail is gone"
    if store.hash_of(checkpoint.batch) != checkpoint.head:
        return f"batch {checkpoint.batch} has another hash than was signed"
    return None


def kept_checkpoints(folder: Path, file: Path | None, key: Path | None) -> list[Checkpoint]:
    """Return the checkpoints of a file, by default the stack's; raise `StackError` if one is forged."""
    files = StackFolder(folder)
    path = file or files.checkpoints
    if file is None and key is None and not path.exists():
        return []
    public = key or files.checkpoint_public_key
    for each, option in ((path, "--checkpoints"), (public, "--key")):
        if not each.exists():
            raise StackError(f"{each} is not there: name another with {option}")
    try:
        return read_checkpoints(path, read_verifier(public.read_text(encoding="utf-8"))).checkpoints
    except Untrusted as why:
        raise StackError(str(why)) from why


def sign_store(
    store: StoreReader, key: Path, *, new_key: str | None = None, to: Path | None = None
) -> tuple[Checkpoint, str]:
    """Return a checkpoint of the store and its signed note; add the note to the file `to`.

    `new_key` makes the key first, with this name. Raises `StackError` if the key is missing, or the store is empty.
    """
    try:
        if new_key:
            make_key(key, new_key)
        if not key.exists():
            raise StackError(f"{key} is not there: name the private key with --key, or make one with --new-key")
        if store.head.batch == 0:
            raise StackError("the store is empty: there is nothing to sign")
        checkpoint = checkpoint_of(store, fold(store).state_hash())
        note = sign_checkpoint(checkpoint, read_signer(key))
        if to is not None:
            append_checkpoint(to, note)
    except Untrusted as why:
        raise StackError(str(why)) from why
    return checkpoint, note
