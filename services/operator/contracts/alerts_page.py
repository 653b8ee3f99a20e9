"""The reference page of all alerts, docs/alerts.md."""

from services.operator.contracts.examples import example_payloads
from services.operator.contracts.markdown import json_block, table
from shared.wire.alerts import NAMED_BY, SUBJECTS, AlertCode
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
            " every number and alert of today; a source without a day holds up none, and the numbers lack its events."
        ),
    ),
    "behind_watermark": (
        (
            "After a watermark the source published an event whose time lies on a day that the watermark had completed."
            " The source's `sequence` decides, not the order in which events arrive. `day` is the earliest such day."
            " Only the watermark in force counts: the greatest that is not reversed, of equal ones the last published."
        ),
        "`days` with such an event, `watermark_day` that was complete",
        (
            "Numbers of completed days have changed since they were read: read them again from `day` on. The causes"
            " name the newest event of each day. The alert clears with the source's next `source.advanced`, for the"
            " same day or a later one, as that confirms the days before it anew; reversing the event does not clear it."
        ),
    ),
    "undeclared_product": (
        (
            "Wafers of the product are moved or planned, and no planner has declared it, or the declaration is"
            " withdrawn. `day` is the first day with such wafers. Not raised while no product is declared at all."
        ),
        "`keys`: sites and suppliers together that have wafers of it",
        (
            "Its wafers count as published. Declare the product (`waferline declare product`), or have the events"
            " reversed and published with the right name: the alert then clears."
        ),
    ),
    "undeclared_site": (
        (
            "Wafers are moved or planned at the site, and no `site.declared` of it is in force. `day` is the first day"
            " with such wafers. Not raised while no site is declared at all, nor for `unallocated`."
        ),
        "`keys`: products and suppliers together that have wafers there",
        (
            "Its wafers count as published, at a site of their own. Declare the site, or, where the name is a typo,"
            " have the events reversed and published with the right name: the alert then clears."
        ),
    ),
    "due_beyond_horizon": (
        (
            "A commit, an order, a forecast or a shipment of the product to the site is due after the last day of the"
            " horizon. `day` is the first day after it."
        ),
        "`wafers` still due there",
        (
            "No number counts them. Where the year is a typo, have the line revised (`waferline lines` finds it);"
            " otherwise declare a programme with a later end."
        ),
    ),
    "stock_negative": (
        (
            "At the end of the last complete day, all suppliers together, more was consumed, transferred or written off"
            " than ever came."
        ),
        "`wafers` below zero, `since_day`",
        (
            "The books are wrong: a receipt or an opening stock is missing, or a consumption was published twice."
            " Count the stock."
        ),
    ),
    "consumed_beyond_required": (
        (
            "By the end of the last complete day more of the product was consumed at the site than was due by the day"
            " of the consumption, or than the order that the consumption names. These wafers serve no later order."
        ),
        "`wafers` consumed beyond, `since_day`: that of the first such consumption",
        (
            "The site consumes for an order that is missing, due later, or smaller: publish the order as it is, or"
            " reverse the consumption and publish it with its `order`. Until then a later order for the same wafers is"
            " short in full: `waferline bridge` has the bar *consumed beyond plan*."
        ),
    ),
    "stage_negative": (
        (
            "At the end of the last complete day, all sites together, more wafers of the supplier's product were"
            " finished or scrapped than were started: the stage `wip` is below zero."
        ),
        "`wafers` below zero, `since_day`",
        "The books are wrong: a start is missing, or a lot was finished or scrapped twice. Ask the supplier.",
    ),
    "received_beyond_dispatched": (
        "By the last complete day more of the shipment's product was received, damaged or lost than was dispatched.",
        "`dispatched`, `ended`, `wafers` too many",
        "The books are wrong: a dispatch is missing, or a receipt names another shipment, or was published twice.",
    ),
    "dispatched_beyond_finished": (
        (
            "By the last complete day the supplier dispatched more wafers of the product than it finished. Not raised"
            " where the supplier reports no lots of the product."
        ),
        "`finished`, `dispatched`, `wafers` too many, `since_day`",
        "The books are wrong: a finished lot is missing, or a shipment was published twice. Ask the supplier.",
    ),
    "dispatch_without_commit": (
        (
            "By the last complete day a dispatch of the shipment's product names no commit, or one that its owner has"
            " not published. Not raised for a dispatch that names none and whose `causationid` is an event of a commit"
            " that is withdrawn. `day` is that of the first such dispatch."
        ),
        "`wafers` dispatched so",
        (
            "If the wafers were promised, that commit is still open and its wafers count twice, once in transit: ask"
            " the supplier to reverse the dispatch and to publish it with its commit."
        ),
    ),
    "dispatch_of_other_product": (
        (
            "By the last complete day a dispatch of the shipment's product names a commit of another product or"
            " supplier. That commit stays open. `day` is that of the first such dispatch."
        ),
        "`wafers` dispatched so",
        "Ask the supplier to revise the commit, or to reverse the dispatch and to publish it with the right commit.",
    ),
    "supplier_contradicts_shipment": (
        (
            "By the last complete day a receipt or a loss names another supplier than the shipment's dispatch. It"
            " counts under the supplier of the dispatch. `day` is that of the first such event."
        ),
        "`wafers` received, damaged or lost so",
        "Ask the party that published it to reverse it and to publish it with the shipment's supplier.",
    ),
    "receipt_of_other_product": (
        (
            "By the last complete day wafers of the product were received, damaged or lost of a shipment under whose"
            " name only other products were dispatched. `day` is that of the first such event."
        ),
        "`wafers` received, damaged or lost so",
        "Count the stock. The wafers count as published, and those that were dispatched are still in transit.",
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
        "`days` covered in full, `on_hand`, `wafers` missing on `day`, `since_day`",
        "The site depends on supply to come: see that it comes, or hold more stock. `waferline cover`.",
    ),
    "slip_beyond": (
        (
            "The next wafer of the supplier's product to come was first committed for a day more than 14 (`SLIP_DAYS`)"
            " before the last complete day. Wafers that came, were damaged or were lost fill the oldest commits first."
        ),
        (
            "`oldest_due_day` among the wafers still to come, `days` since then, `wafers` late beyond the limit,"
            " `since_day`"
        ),
        "Ask the supplier. The alert clears when the wafers come, or are committed for another day.",
    ),
}
"""The meaning of each alert, the meaning of its detail, and the action for a planner."""


def alerts_page() -> str:
    """Return the page of all alerts, in Markdown."""
    rows = (
        (
            f"`{code}`",
            ", ".join(f"`{name}`" for name in (*SUBJECTS[code], NAMED_BY[code]) if name),
            meaning,
            detail,
            action,
        )
        for code, (meaning, detail, action) in ALERT_CODES.items()
    )
    codes = table(("code", "named by", "meaning", "detail", "what to do"), rows)
    return "\n\n".join([_INTRODUCTION, codes, _STREAM, json_block(example_payloads()["alert_batch"])]) + "\n"


_INTRODUCTION = """\
# The alerts

<!-- Written by `make contracts` from services/operator/contracts/alerts_page.py: change that, not this page. -->

An alert is named by its code, its subject, and the day that its definition fixes, where one does:
`short_within/HBM-12H/north/2027-03-10`. The open alerts and their names follow from the recorded events alone, at the
end of the last day that every source with a watermark has completed: each fold of the same events, in any order, opens
the same alerts. `since_day` is the first of the days in a row, up to the last complete one, on which the condition has
held by what is recorded now. A shortage whose first short day moves is another alert, with a name of its own: what was
said of the earlier one need not hold of it.

Until a source has completed a day, the aggregator looks for `source_silent`, `undeclared_product`, `undeclared_site`
and `due_beyond_horizon` only: that no other alert is open is then no all-clear.

`waferline alerts` and `GET /alerts` at the aggregator list the open alerts, those to act on first: alerts that put the
other numbers in doubt, by code; then those of the earliest week from today, one that has passed in the first, and in a
week those with the most megawatts waiting for their wafers, then with the most wafers: as on the
[worklist](numbers.md#worklist). `groups` has all of them again: a code with more than four in groups of one
supplier, owner, product, source or site each, or all of it in one, with the sums and the least days left; of any other
code each alert is a group. With `product`, `site` and
`supplier`, as on the page, alerts of others are left out; an alert that names none, as `source_silent`, concerns all. A
shipment concerns the sites and suppliers of its dispatches and receipts, and its owner. The limits are settings of the
aggregator: `WAFERLINE_ALERT_` and the name in capitals below.

The state of the services is no alert here, and on no stream: [the rules of Prometheus](watching.md) and the log have
it. So it is with `names_near_limit`: a warning in the log, the metric `waferline_names` and the rule `NamesNearLimit`
say that the names near [their limit](limits.md)."""

_STREAM = f"""\
All wafers are WSE. Where events explain an alert, `causes` names up to five of them as `source/id`; the ledger answers
`GET /events/source/id` with each.

## The stream

On `{ALERTS}` each alert is **raised once and cleared once**, by its name. The cleared ones come first
in an entry, so a reader may also fold it by code and subject. The aggregator reads the open alerts there when it
starts, and publishes differences only, each entry whole or not at all and under its own number: a kill, a restart or a
rebuild neither repeats an alert nor loses one. It publishes nothing while it catches up. A new store of the ledger
(`epoch`) clears the alerts that the old one raised. The detail is that of the moment of raising; `GET /alerts` has the
current one. When a source's first watermark takes the last complete day back, that alone raises and clears nothing
here: until the day is reached again, the entries are of the day that was reached, and `GET /alerts` has those of the
earlier one. Do not trim the stream, it is short: an open alert that was trimmed is raised again at the next start."""
