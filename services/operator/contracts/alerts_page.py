"""The reference page of all alerts, docs/alerts.md."""

from services.operator.contracts.examples import example_payloads
from services.operator.contracts.markdown import json_block, table
from shared.wire.alerts import SUBJECTS, AlertCode
from shared.wire.streams import ALERTS

ALERT_CODES: dict[AlertCode, tuple[str, str, str]] = {
    "source_silent": (
        (
            "The source has completed its days up to `day`, more than 3 (`SILENT_DAYS`) before the latest day that any"
            " source has completed. Without `days`: the source has completed no day, or it is expected"
            " (`WAFERLINE_SOURCES`) and has published nothing."
        ),
        "`days` behind",
        (
            "Ask the source for `source.advanced`. Until it comes, the last complete day stays where it is, and with it"
            " every number and alert of today."
        ),
    ),
    "stock_negative": (
        (
            "At the end of the last complete day, all suppliers together, more was consumed, transferred or written off"
            " than ever came."
        ),
        "`wafers` below zero",
        (
            "The books are wrong: a receipt or an opening stock is missing, or a consumption was published twice."
            " Count the stock."
        ),
    ),
    "received_beyond_dispatched": (
        "By the last complete day more of the shipment's product was received, damaged or lost than was dispatched.",
        "`dispatched`, `ended`, `wafers` too many",
        "The books are wrong: a dispatch is missing, or a receipt names another shipment, or was published twice.",
    ),
    "short_within": (
        (
            "The projected balance falls below zero within 30 days (`SHORT_DAYS`), with commits of the grade `planned`"
            " (`FIRMNESS`) or firmer. `day` is the first short day, or the day since when it has been short."
        ),
        "`first_short_day` from today on, `wafers` short on it, `wafers_at_worst`",
        "Its causes name the largest changes. Pull supply in, or move it here: `waferline shortages`.",
    ),
    "cover_below": (
        (
            "Without further receipts the stock on hand covers less than 7 days (`COVER_DAYS`) of requirements. Not"
            " raised where the product is short within 30 days: `short_within` is raised there. `day` is the first day"
            " not covered."
        ),
        "`days` covered in full, `on_hand`, `wafers` missing on `day`",
        "The site depends on supply to come: see that it comes, or hold more stock. `waferline cover`.",
    ),
    "slip_beyond": (
        (
            "The next wafer of the supplier's product to come was first committed for a day more than 14 (`SLIP_DAYS`)"
            " before the last complete day. Wafers that came, were damaged or were lost fill the oldest commits first."
        ),
        "`oldest_due_day` among the wafers still to come, `days` since then, `wafers` late beyond the limit",
        "Ask the supplier. The alert clears when the wafers come, or are committed for another day.",
    ),
}
"""The meaning of each alert, the meaning of its detail, and the action for a planner."""


def alerts_page() -> str:
    """Return the page of all alerts, in Markdown."""
    rows = (
        (f"`{code}`", ", ".join(f"`{name}`" for name in SUBJECTS[code]), meaning, detail, action)
        for code, (meaning, detail, action) in ALERT_CODES.items()
    )
    codes = table(("code", "subject", "meaning", "detail", "what to do"), rows)
    return "\n\n".join([_INTRODUCTION, codes, _STREAM, json_block(example_payloads()["alert_batch"])]) + "\n"


_INTRODUCTION = """\
# The alerts

<!-- Written by `make contracts` from services/operator/contracts/alerts_page.py: change that, not this page. -->

An alert has a code and a subject. The open alerts follow from the recorded events alone, as of the last day that every
source has completed: each fold of the same events, in any order, opens the same alerts. Until every source that has
published has completed a day, the aggregator looks for `source_silent` only.

`waferline alerts` and `GET /alerts?code=&limit=&offset=` at the aggregator list the open alerts, the most urgent first:
alerts that put the other numbers in doubt, by code; then by day, then by wafers. The limits are settings of the
aggregator: `WAFERLINE_ALERT_` and the name in capitals below."""

_STREAM = f"""\
All wafers are WSE. Where events explain an alert, `causes` names up to five of them as `source/id`; the ledger answers
`GET /events/source/id` with each.

## The stream

On `{ALERTS}` each alert is **raised once and cleared once**. The aggregator reads the open alerts there
when it starts, and publishes differences only, each entry whole or not at all and under its own number: a kill, a
restart or a rebuild neither repeats an alert nor loses one. It publishes nothing while it catches up. A new store of
the ledger (`epoch`) clears the alerts that the old one raised. The detail is that of the moment of raising; `GET
/alerts` has the current one. Do not trim the stream, it is short: an open alert that was trimmed is raised again at the
next start."""
