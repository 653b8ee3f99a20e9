"""The ledger's tables, and two views for auditors."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
BYTES = sa.LargeBinary()
# in the order of the bytes, as in SQLite, whatever the language of the server
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _column(name: str, kind: Any, *, key: bool = False, null: bool = False) -> sa.Column[Any]:
    # every number is given by the ledger: none is counted up by the database
    return sa.Column(name, kind, primary_key=key, nullable=null, autoincrement=False)


def _table(name: str, comment: str, *columns: sa.Column[Any] | sa.Constraint, rows_by_key: bool = False) -> None:
    op.create_table(name, *columns, comment=comment, sqlite_strict=True, sqlite_with_rowid=not rows_by_key)


def upgrade() -> None:
    """Make the tables and the views."""
    _table("store", "which store this is: its epoch is in the id of all that is published", _column("epoch", WHOLE))
    _table(
        "head",
        "the end of the chain: whoever takes the next batch changes it first",
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
        "what a balance is kept of, by number: a product at a site from a supplier, each a name's number",
        _column("id", WHOLE, key=True),
        _column("product", WHOLE),
        _column("site", WHOLE),
        _column("supplier", WHOLE),
        sa.UniqueConstraint("product", "site", "supplier"),
    )


def _log() -> None:
    _table(
        "batches",
        "what was recorded together: whose, its events and postings by their seq, and the chain's head after it",
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
        "what was said and taken: the canonical bytes of each event, never changed",
        _column("seq", WHOLE, key=True),
        _column("source", WHOLE),
        _column("id", BYTES),
        _column("body", TEXT),
    )
    op.create_index("events_identity", "events", ["source", "id"], unique=True)
    _table(
        "refusals",
        "what was said and not taken, why, and its bytes as they came",
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
        "what follows from the events: wafers of a key and measure on a day, net for each batch",
        _column("seq", WHOLE, key=True),
        _column("measure", WHOLE),
        _column("day", WHOLE),
        _column("key", WHOLE),
        _column("wafers", WHOLE),
    )


def _working_state() -> None:
    """Make what a replay of the events makes anew."""
    _table(
        "lines",
        "what each commit, order and shipment says now",
        _column("owner", WHOLE, key=True),
        _column("kind", TEXT, key=True),
        _column("line", TEXT, key=True),
        _column("state", TEXT),
        rows_by_key=True,
    )
    _table(
        "stock",
        "wafers that came to hand or left on a day, for the counts to be compared with",
        _column("key", WHOLE, key=True),
        _column("day", WHOLE, key=True),
        _column("wafers", WHOLE),
        rows_by_key=True,
    )
    _table(
        "counts",
        "what was counted on a day, by the name of the count",
        _column("key", WHOLE, key=True),
        _column("day", WHOLE, key=True),
        _column("name", TEXT, key=True),
        _column("wafers", WHOLE),
        rows_by_key=True,
    )
    _table(
        "reversals",
        "the events that another event has reversed, also those that are yet to come",
        _column("source", WHOLE, key=True),
        _column("id", BYTES, key=True),
        rows_by_key=True,
    )
    _table(
        "sources",
        "who has spoken, and the day through which it has said all",
        _column("source", WHOLE, key=True),
        _column("advanced", WHOLE, null=True),
    )
    _table(
        "heard",
        "the runs of each source's sequences that were recorded or refused",
        _column("source", WHOLE, key=True),
        _column("first", WHOLE, key=True),
        _column("last", WHOLE),
        rows_by_key=True,
    )
    _table(
        "offsets",
        "how far each stream is read",
        _column("stream", WHOLE, key=True),
        _column("entry", TEXT),
    )
    _table(
        "tallies",
        "how many events of each name are recorded",
        _column("name", WHOLE, key=True),
        _column("events", WHOLE),
    )


_SAID = (
    ("source", "text"), ("sequence", "bigint"), ("id", "text"), ("name", "text"), ("time", "bigint"), ("line", "text"),
    ("day", "bigint"), ("wafers", "bigint"), ("revision", "bigint"), ("product", "text"), ("site", "text"),
    ("supplier", "text"), ("rest", "text"), ("cause", "text"), ("correlation", "text"),
)  # fmt: skip


def _views() -> None:
    if op.get_bind().dialect.name == "postgresql":
        fields = ", ".join(f"(body ->> {n})::{kind} AS {name}" for n, (name, kind) in enumerate(_SAID))
        # read once an event and not once a field: that is what the OFFSET is for
        body = "CROSS JOIN LATERAL (SELECT events.body::jsonb AS body OFFSET 0) AS parsed"
        fields = fields.replace("(body", "(parsed.body")
    else:
        fields = ", ".join(f"json_extract(events.body, '$[{n}]') AS {name}" for n, (name, _) in enumerate(_SAID))
        body = ""
    # every event that is in a batch, by its fields; times in microseconds and days since 1970, UTC
    op.execute(
        f"CREATE VIEW said AS SELECT events.seq, batches.batch, batches.recorded, {fields}"  # noqa: S608
        " FROM batches JOIN events ON events.seq >= batches.first_event"
        f" AND events.seq < batches.first_event + batches.events {body}"
    )
    # every posting that is in a batch, with its names; the measure is a number of shared/wire/postings.py
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
