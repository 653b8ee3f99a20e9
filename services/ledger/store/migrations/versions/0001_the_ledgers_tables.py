"""The ledger's tables, and two views for auditors."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTES = sa.LargeBinary()
# sorted by bytes, as in SQLite, in every locale of the server
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _column(name: str, kind: Any, *, key: bool = False, null: bool = False) -> sa.Column[Any]:
    # the ledger assigns every number, and the database none
    return sa.Column(name, kind, primary_key=key, nullable=null, autoincrement=False)


def _table(name: str, comment: str, *columns: sa.Column[Any] | sa.Constraint, rows_by_key: bool = False) -> None:
    op.create_table(name, *columns, comment=comment, sqlite_strict=True, sqlite_with_rowid=not rows_by_key)


def upgrade() -> None:
    """Make the tables and the views."""
    _table("store", "the epoch of the store, which is in the id of every published entry", _column("epoch", WHOLE))
    _table(
        "head",
        "the end of the chain; the transaction of a batch updates it first",
        _column("partition", WHOLE, key=True),
        _column("batch", WHOLE),
        _column("hash", BYTES),
    )
    _names()
    _log()
    _working_state()
    _views()


def _names() -> None:
    _table(
        "names",
        "sources, streams, products, sites, suppliers and event names, by number",
        _column("id", WHOLE, key=True),
        _column("name", TEXT),
        sa.UniqueConstraint("name"),
    )
    _table(
        "keys",
        "the keys of balances, by number: product, site and supplier, each by the number of its name",
        _column("id", WHOLE, key=True),
        _column("product", WHOLE),
        _column("site", WHOLE),
        _column("supplier", WHOLE),
        sa.UniqueConstraint("product", "site", "supplier"),
    )


def _log() -> None:
    _table(
        "batches",
        "batches: source, events and postings by their seq, and the chain head after each",
        _column("batch", WHOLE, key=True),
        _column("source", WHOLE),
        _column("stream", WHOLE),
        _column("entry", TEXT),
        _column("recorded", WHOLE),
        _column("told", WHOLE, null=True),
        _column("through", WHOLE),
        _column("watermark", WHOLE, null=True),
        _column("first_event", WHOLE),
        _column("events", WHOLE),
        _column("duplicates", WHOLE),
        _column("refusals", WHOLE),
        _column("first_posting", WHOLE),
        _column("postings", WHOLE),
        _column("hash", BYTES),
    )
    op.create_index("batches_first_event", "batches", ["first_event"])
    _table(
        "events",
        "recorded events: the canonical bytes of each, never changed",
        _column("seq", WHOLE, key=True),
        _column("source", WHOLE),
        _column("id", BYTES),
        _column("body", TEXT),
    )
    op.create_index("events_identity", "events", ["source", "id"], unique=True)
    _table(
        "refusals",
        "refused events: the reason, and the bytes as they came",
        _column("seq", WHOLE, key=True),
        _column("batch", WHOLE),
        _column("source", WHOLE),
        _column("sequence", WHOLE, null=True),
        _column("id", TEXT, null=True),
        _column("code", TEXT),
        _column("path", TEXT),
        _column("message", TEXT),
        _column("body", BYTES),
    )
    op.create_index("refusals_identity", "refusals", ["source", "id"])
    op.create_index("refusals_batch", "refusals", ["batch"])
    _table(
        "postings",
        "postings of the events: wafers of a key and measure on a day, net for each batch",
        _column("seq", WHOLE, key=True),
        _column("measure", WHOLE),
        _column("day", WHOLE),
        _column("key", WHOLE),
        _column("wafers", WHOLE),
    )


def _working_state() -> None:
    """Make the tables that a replay of the events rebuilds."""
    _table(
        "lines",
        "the state of each commit, order and shipment",
        _column("owner", WHOLE, key=True),
        _column("kind", TEXT, key=True),
        _column("line", TEXT, key=True),
        _column("state", TEXT),
        rows_by_key=True,
    )
    _table(
        "stock",
        "net on-hand movements of a key on a day, from which counts derive their adjustments",
        _column("key", WHOLE, key=True),
        _column("day", WHOLE, key=True),
        _column("wafers", WHOLE),
        rows_by_key=True,
    )
    _table(
        "counts",
        "counts of a key on a day, by the name of the count",
        _column("key", WHOLE, key=True),
        _column("day", WHOLE, key=True),
        _column("name", TEXT, key=True),
        _column("wafers", WHOLE),
        rows_by_key=True,
    )
    _table(
        "reversals",
        "events that another event has reversed, recorded or still to come",
        _column("source", WHOLE, key=True),
        _column("id", BYTES, key=True),
        rows_by_key=True,
    )
    _table(
        "sources",
        "sources, and the last day that each declares complete",
        _column("source", WHOLE, key=True),
        _column("advanced", WHOLE, null=True),
    )
    _table(
        "heard",
        "runs of each source's sequences that are recorded or refused",
        _column("source", WHOLE, key=True),
        _column("first", WHOLE, key=True),
        _column("last", WHOLE),
        rows_by_key=True,
    )
    _table(
        "offsets",
        "the last entry read of each stream",
        _column("stream", WHOLE, key=True),
        _column("entry", TEXT),
    )
    _table(
        "tallies",
        "the number of recorded events of each type",
        _column("name", WHOLE, key=True),
        _column("events", WHOLE),
    )


_EVENT_FIELDS = (
    ("source", "text"), ("sequence", "bigint"), ("id", "text"), ("name", "text"), ("time", "bigint"), ("line", "text"),
    ("day", "bigint"), ("wafers", "bigint"), ("revision", "bigint"), ("product", "text"), ("site", "text"),
    ("supplier", "text"), ("rest", "text"), ("cause", "text"), ("correlation", "text"),
)  # fmt: skip


def _views() -> None:
    if op.get_bind().dialect.name == "postgresql":
        fields = ", ".join(f"(body ->> {n})::{kind} AS {name}" for n, (name, kind) in enumerate(_EVENT_FIELDS))
        # the OFFSET has the body parsed once an event, not once a field
        body = "CROSS JOIN LATERAL (SELECT events.body::jsonb AS body OFFSET 0) AS parsed"
        fields = fields.replace("(body", "(parsed.body")
    else:
        fields = ", ".join(
            f"json_extract(events.body, '$[{n}]') AS {name}" for n, (name, _) in enumerate(_EVENT_FIELDS)
        )
        body = ""
    # every event in a batch, by its fields; times in microseconds and days since 1970, UTC
    op.execute(
        f"CREATE VIEW said AS SELECT events.seq, batches.batch, batches.recorded, {fields}"  # noqa: S608
        " FROM batches JOIN events ON events.seq >= batches.first_event"
        f" AND events.seq < batches.first_event + batches.events {body}"
    )
    # every posting in a batch, with its names; the measure is a number of shared/wire/postings.py
    op.execute(
        "CREATE VIEW posted AS SELECT batches.batch, batches.recorded, postings.measure, postings.day,"
        " products.name AS product, sites.name AS site, suppliers.name AS supplier, postings.wafers"
        " FROM batches JOIN postings ON postings.seq >= batches.first_posting"
        " AND postings.seq < batches.first_posting + batches.postings"
        " JOIN keys ON keys.id = postings.key"
        " JOIN names AS products ON products.id = keys.product"
        " JOIN names AS sites ON sites.id = keys.site"
        " JOIN names AS suppliers ON suppliers.id = keys.supplier"
    )
