"""A snapshot: the whole state as the bytes of one file, and back; a damaged or foreign one is refused.

The bytes are a magic word, the length of a header (8 bytes, little-endian), the header in JSON, the sections it names,
each at a multiple of 8, and the SHA-256 of all that. A cell is a row of a series that is not zero.
"""

from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from services.aggregator.fold.columns import Columns, FoldPosition, Setback
from services.aggregator.fold.curves import WAFERS_SUM_MAX, Curves
from services.aggregator.fold.lines.book import LineBook
from services.aggregator.fold.sites import SiteBook
from services.aggregator.fold.state import FoldState, SourceBook, horizon_of
from services.aggregator.kernels.arrays import Index
from services.aggregator.terms import PARTS
from shared.programme.declarations import NOTHING_DECLARED, Declarations
from shared.programme.remarks import Remarks

FORMAT = 8
MAGIC = b"waferline.snap\r\n"  # as in PNG: a transfer that translates line ends breaks it
_SECTIONS = {
    "key": "<i4",  # [key, part] number of a name
    "series_key": "<i4",  # [series] movements first, then plans
    "series_measure": "u1",  # [series]
    "filled": "<i4",  # [series] how many cells
    "row": "<u2",  # [cell] by series, then by day
    "wafers": "<i8",  # [cell]
}
PAGE_CELLS_MAX = 2**20
_SEAL = 32


class Unusable(Exception):
    """A snapshot that must not be used: `code` is the reason in a word, the message says more."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code


def encode(state: FoldState) -> list[bytes]:
    """Return the snapshot of a state in pieces, without their seal."""
    curves, lines = state.curves, orjson.dumps(state.lines.state())
    filled, row, wafers = curves.cells()
    arrays = {
        "key": np.array(curves.index.numbered_keys(), dtype="<i4").reshape(-1, len(PARTS)),
        "series_key": np.concatenate((curves.index.movement_key, curves.index.plan_key)),
        "series_measure": curves.index.measures(),
        "filled": filled,
        "row": row,
        "wafers": wafers,
    }
    sections = [arrays[name].astype(dtype, copy=False).tobytes() for name, dtype in _SECTIONS.items()]
    header = {
        "format": FORMAT,
        "horizon": [curves.start, curves.days],
        "catalogue": curves.catalogue,
        "epoch": curves.epoch,
        "position": curves.position,
        "head": curves.head,
        "postings": curves.postings,
        "said": curves.wafers_total,
        "last_day": curves.last_day,
        "watermarks": curves.watermarks,
        "setback": curves.setback and list(curves.setback),
        "sources": sorted(curves.sources),
        "names": curves.index.names(),
        "state": curves.state_hash(),
        "sections": [len(section) for section in sections],
        "lines": len(lines),
        "sites": state.sites.state(),
        "sequences": state.sources.state(),
        "declarations": state.declarations.state(),
        "remarks": state.remarks.state(),
    }
    text = orjson.dumps(header)
    pieces = [MAGIC + len(text).to_bytes(8, "little") + text, *sections, lines]
    return [piece + bytes(-len(piece) % 8) for piece in pieces]


def seal(pieces: list[bytes]) -> bytes:
    """Return the last piece of a snapshot: the SHA-256 of the others."""
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def decode(content: bytes, start: int, days: int, catalogue: str) -> FoldState:
    """Return the state that a snapshot holds; raise `Unusable` where it is not whole, or of other settings.

    The horizon of the settings is due where the snapshot's programme declares none, `catalogue` where nothing is
    declared in it.

    `damaged`: a byte is not as it was written, or the state hash is another than the one written; `foreign_format`,
    `foreign_horizon`, `foreign_catalogue`: written by another version, or with other settings.
    """
    sealed, seal_bytes = memoryview(content)[:-_SEAL], content[-_SEAL:]
    if not content.startswith(MAGIC) or sha256(sealed).digest() != seal_bytes:
        raise Unusable("damaged", f"the {len(content)} bytes are not those that were sealed")
    try:
        begin = len(MAGIC) + 8
        end = begin + int.from_bytes(content[len(MAGIC) : begin], "little")
        header = orjson.loads(sealed[begin:end])
        if header["format"] != FORMAT:
            raise Unusable("foreign_format", f"it is of format {header['format']}, not {FORMAT}")
        declarations = Declarations.read(header["declarations"])
        horizon, digest = horizon_of(declarations) or (start, days), declarations.digest()
        catalogue = catalogue if digest == NOTHING_DECLARED else digest
        if header["horizon"] != [*horizon]:
            raise Unusable("foreign_horizon", f"its horizon is {header['horizon']}, not {[*horizon]}")
        if header["catalogue"] != catalogue:
            raise Unusable("foreign_catalogue", f"its catalogue is {header['catalogue']}, not {catalogue}")
        pieces = _cut(sealed, end, [*header["sections"], header["lines"]])
        arrays = {name: np.frombuffer(next(pieces), dtype=dtype) for name, dtype in _SECTIONS.items()}
        lines = LineBook.read(orjson.loads(next(pieces)))
        sites, sources = SiteBook.read(header["sites"]), SourceBook.read(header["sequences"])
        remarks = Remarks.read(header["remarks"])
        curves = _restore(header, arrays, Curves.of(*horizon, catalogue))
    except (LookupError, TypeError, ValueError, OverflowError, StopIteration) as why:
        raise Unusable("damaged", f"its parts do not fit together: {why!r}") from why
    if curves.state_hash() != header["state"]:
        raise Unusable("damaged", f"its state is {curves.state_hash()}, and {header['state']} was written")
    return FoldState(curves, lines, sites, sources, declarations, (start, days), remarks)


def _cut(content: memoryview, at: int, lengths: list[int]) -> Iterator[memoryview]:
    """Yield the sections behind a header that ends at a place."""
    for length in lengths:
        at += -at % 8
        if not 0 <= length <= len(content) - at:
            raise ValueError(f"a section of {length} bytes at {at} of {len(content)}")
        yield content[at : at + length]
        at += length


def _restore(header: dict[str, Any], arrays: dict[str, Index], curves: Curves) -> Curves:
    """Fold the cells as if they had been posted."""
    position = FoldPosition(
        header["epoch"], header["position"], header["head"], header["watermarks"], header["sources"],
        header["postings"], header["said"], setback=header["setback"] and Setback(*header["setback"]),
    )  # fmt: skip
    curves.load(_columns(header["names"], header["last_day"], arrays, curves.start), position, cell_max=WAFERS_SUM_MAX)
    return curves


def _columns(names: list[str], last_day: int, arrays: dict[str, Index], start: int) -> Iterator[Columns]:
    """Yield each series with no wafers, by key, so that all get their numbers back; then the cells.

    Those are on the last day that any movement was posted for, so that the horizon's rows are filled to it.
    """
    key, measure, filled = arrays["series_key"], arrays["series_measure"], arrays["filled"].astype(np.int64)
    if filled.sum() != arrays["row"].size or filled.min(initial=0) < 0:
        raise ValueError("the cells are not those of the series")
    product, site, supplier = arrays["key"].reshape(-1, len(PARTS))[key].T
    order = np.argsort(key, kind="stable")
    nothing = np.zeros(key.size, dtype=np.int64)
    yield Columns(names, product[order], site[order], supplier[order], measure[order], nothing + last_day, nothing)
    ends = filled.cumsum()
    blocks = np.searchsorted(ends, np.arange(0, arrays["row"].size + PAGE_CELLS_MAX, PAGE_CELLS_MAX))
    for first, last in pairwise([*blocks.tolist(), key.size]):
        if first == last:
            continue
        begin, end = int(ends[first - 1]) if first else 0, int(ends[last - 1])
        series = np.arange(first, last).repeat(filled[first:last])
        yield Columns(
            names,
            product[series],
            site[series],
            supplier[series],
            measure[series],
            arrays["row"][begin:end] + np.int64(start - 1),
            arrays["wafers"][begin:end],
        )
