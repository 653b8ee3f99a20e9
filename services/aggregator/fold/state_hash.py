"""The state hash: one SHA-256 of all that the curves hold, by which two folds are compared."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from hashlib import sha256

import numpy as np

from services.aggregator.kernels.arrays import Index, Wafers

PACKED_MAX = 2**21  # numbers that are packed before they are hashed, unless one series has more


def hash_state(
    catalogue: str,
    horizon: tuple[int, int],
    sources: Collection[str],
    watermarks: Mapping[str, int],
    series: Iterable[tuple[bytes, memoryview]],
) -> str:
    """Return the SHA-256 of a state: the same for any order of arrival, batching or duplication.

    A number is a little-endian int64; a text is the length of its UTF-8 as a number, then its UTF-8. The bytes are
    the texts `waferline.state.v1` and the catalogue; the horizon's first day (since 1970) and its length; the
    number of sources and each source, sorted; the number of watermarks and each source and its number, sorted; then
    for each key, sorted by product, site and supplier, for each measure, sorted by name, that has a cell other
    than zero: product, site, supplier and the measure's name as texts, the number of such cells, and of each its
    day and its wafers as numbers, by day. A cell is the sum of a day's postings. All days before the horizon are
    the cell of the day before its first, all days beyond it that of the day after its last. `series` yields those
    last bytes, see `packed_series`.
    """
    digest = sha256(encode_text("waferline.state.v1") + encode_text(catalogue) + _encode_numbers(*horizon))
    digest.update(_encode_numbers(len(sources)) + b"".join(map(encode_text, sorted(sources))))
    digest.update(_encode_numbers(len(watermarks)))
    for source, day in sorted(watermarks.items()):
        digest.update(encode_text(source) + _encode_numbers(day))
    for names, cells in series:
        digest.update(names)
        digest.update(cells)
    return digest.hexdigest()


def packed_series(
    order: Index, names: list[bytes], filled: Index, pack: Callable[[Wafers, Index, Index], None]
) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the names of each series that has a cell, in the order given; and the number of its cells, then each.

    `filled` is the number of cells of each series. `pack(packed, place, series)` writes the cells of some series, day
    and wafers in turn, each from its place.
    """
    order = order[filled[order] > 0]
    ends = (2 * filled[order] + 1).cumsum()  # in numbers: a count, then pairs
    begin = 0
    while begin < order.size:
        before = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(ends.searchsorted(before + PACKED_MAX, "right")))
        block, edges = order[begin:end], np.concatenate(([0], ends[begin:end] - before))
        packed = np.empty(edges[-1], dtype=np.int64)
        packed[edges[:-1]] = filled[block]
        pack(packed, edges[:-1] + 1, block)
        numbers, at = packed.astype("<i8", copy=False).data, edges.tolist()
        for n, series in enumerate(block.tolist()):
            yield names[series], numbers[at[n] : at[n + 1]]
        begin = end


_encode_number = partial(int.to_bytes, length=8, byteorder="little", signed=True)


def _encode_numbers(*values: int) -> bytes:
    return b"".join(map(_encode_number, values))


def encode_text(text: str) -> bytes:
    """Return a text as the state hash counts it: the length of its UTF-8, then its UTF-8."""
    return _encode_number(len(text.encode())) + text.encode()
