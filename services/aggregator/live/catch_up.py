"""Batches that the stream has lost, fetched from the ledger."""

from collections.abc import AsyncIterator

import httpx

from services.aggregator.fold.curves import Curves
from shared.http.peers import Caller, expect_access
from shared.wire.postings import PostingBatch

_PAGE_MAX = 200  # batches of one request


async def fetch_missing(curves: Curves, through: int, ledger_url: str, caller: Caller) -> AsyncIterator[PostingBatch]:
    """Yield the batches behind the last one folded, through a later one; the caller folds each before it asks for more.

    Raise RuntimeError where the ledger has none of them.
    """
    headers, verify = caller
    async with httpx.AsyncClient(base_url=ledger_url, timeout=30, headers=headers, verify=verify) as ledger:
        while curves.position < through:
            after = curves.position
            page = await ledger.get("/postings", params={"after": after, "limit": _PAGE_MAX})
            expect_access(page, f"the ledger at {ledger_url}")
            page.raise_for_status()
            for line in page.content.splitlines():
                missing = PostingBatch.model_validate_json(line)
                if missing.batch <= through:
                    yield missing
            if curves.position == after:
                reason = f"the ledger at {ledger_url} has no batch after {after}, the stream has {through}"
                raise RuntimeError(reason)
