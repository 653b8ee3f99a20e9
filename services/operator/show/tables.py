"""What the answers look like to a person: tables, on a terminal or in a picture."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from shared.wire.events import FIRMNESS

WIDTH = 180  # where nobody says how wide it is: no number may be cut
PICTURE_WIDTH = 120
_POSTINGS_SHOWN = 20
_SHOWN = 5  # orders, supplies and causes behind a shortage; all that are told with --json


def save_picture(console: Console, path: Path, title: str) -> None:
    """Write what was printed as an SVG picture that loads nothing from elsewhere."""
    svg = console.export_svg(title=title)
    path.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")


def open_console(*, record: bool = False) -> Console:
    """Return a console that is wide enough for the month table where nobody says how wide it is."""
    if record:
        return Console(record=True, width=PICTURE_WIDTH)
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, caption: str = "") -> Group:
    """Return a table under its title; numbers stand right, with thousands apart, and are red below zero."""
    result = Table(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for n, column in enumerate(columns):
        number = bool(rows) and all(isinstance(row[n], int | float | None) for row in rows)
        # folded where the terminal is narrow: a number with its end cut off would read as another number
        result.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        result.add_row(*map(_cell, row))
    return Group(Text(title, style="bold"), result, Text(caption + "\n" if caption else "", style="dim"))


def _cell(value: Any) -> Text:
    if value is None:
        return Text("–", style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no", style="" if value else "bold red")
    if isinstance(value, int):
        return Text(f"{value:,}", style="red" if value < 0 else "dim" if value == 0 else "")
    if isinstance(value, float):
        return Text(f"{value:,.1f}")
    return Text(str(value))


def standing(data: Path, answer: Mapping[str, Any]) -> Text:
    """Return what the numbers of an answer rest on."""
    through, place = answer["complete_through"], f"position {answer['position']}, head {answer['head'][:16]}"
    known = f"complete through {through}, {place}"
    if through is None:
        known = f"{place}; no day is complete yet: each source says source.advanced when it has said all of one"
    return Text(f"{data}: {known}", style="dim")


def balances_table(answer: Mapping[str, Any], caption: Text, *, then: bool) -> Group:
    """Return the rolling balances, and what stands in each stage."""
    parts, firmness = answer["by"], answer["firmness"]
    grades = FIRMNESS[FIRMNESS.index(firmness) if firmness else 0 :]
    title = f"{answer['window_days']} days to {answer['day']}, {answer['basis']} basis"
    if then:
        title += f", as it was known after batch {answer['position']}"
    return table(
        title + (f", supply committed {firmness} or above" if firmness else ""),
        (*parts, "supply", "demand", "net", "in process", "finished", "in transit", "on hand", "open commit now"),
        [
            (
                *(row[part] for part in parts), row["supply"], row["demand"], row["net"], row["wip"],
                row["finished"], row["in_transit"], row["on_hand"],
                sum(row["open_commit"][grade] for grade in grades),
            )
            for row in answer["rows"]
        ],
        caption=caption.plain,
    )  # fmt: skip


def cover_table(answer: Mapping[str, Any], caption: Text) -> Group:
    """Return for how long what is at hand lasts."""
    return table(
        f"Days of cover, as of {answer['today']}: {len(answer['rows'])} of {answer['count']} products at sites",
        ("site", "product", "on hand", "backorder", "days of cover", "first day not covered"),
        [
            (row["site"], row["product"], row["on_hand"], row["backorder"], row["cover_days"],
             row["first_uncovered_day"])
            for row in answer["rows"]
        ],
        caption="what is on hand, less the backorder, over what is required from today on, without receipts\n"
        f"– : the orders that are known end first. {caption.plain}",
    )  # fmt: skip


def atp_table(answer: Mapping[str, Any], caption: Text) -> Group:
    """Return what can still be promised, bucket by bucket."""
    return table(
        f"Available to promise, as of {answer['today']}, commits {answer['firmness']} or above",
        ("site", "product", "from", "zone", "ordered", "forecast", "of it net", "receipts", "projected", "to promise",
         "in all"),
        [
            (row["site"], row["product"], row["from"], row["zone"], row["orders"], row["forecast"],
             row["net_forecast"], row["receipts"], row["projected"], row["atp"], row["atp_cumulative"])
            for row in answer["rows"]
        ],
        caption="net: what no order has consumed; to promise: of the bucket's own receipts; in all: up to it\n"
        + caption.plain,
    )  # fmt: skip


def months_tables(answer: Mapping[str, Any]) -> tuple[Group, Group]:
    """Return the months on the start basis and on the receipt basis, which are never mixed."""
    rows = answer["rows"]
    grades = list(rows[0]["receipt"]["committed"])
    before = {basis: rows[0][basis]["cumulative_gap"] - rows[0][basis]["net"] for basis in ("start", "receipt")}
    start = table(
        "Months, start basis (300 mm wafer starts at planned yield)",
        ("month", "demand", "started", "net", "cumulative gap", "% of 900,000", "letter of intent"),
        [
            (r["month"], s["demand"], s["started"], s["net"], s["cumulative_gap"], s["share_percent"], s["agreed"])
            for r in rows
            for s in (r["start"],)
        ],
        caption="demand: to be started in the month. A letter of intent is shown, and in no other number.\n"
        f"The gap begins at {before['start']:+,}: what was on hand at first, less what was to be started before.\n"
        "It nets all sites and products: what one has too many of does not help another.",
    )
    receipt = table(
        "Months, receipt basis (at the dock): the same wafers months later, never mixed with the above",
        ("month", "due", *grades, "received", "net", "cumulative gap"),
        [
            (r["month"], s["due"], *s["committed"].values(), s["received"], s["net"], s["cumulative_gap"])
            for r in rows
            for s in (r["receipt"],)
        ],
        caption="planned to immediate: commits due in the month, by the firmness they now have, a wafer in one.\n"
        f"The gap begins at {before['receipt']:+,}: what was on hand at first, less what was due before.\n"
        "Until the first lots arrive, the sites live on that. Lots that yield more than planned ship more.",
    )
    return start, receipt


def ahead_table(answer: Mapping[str, Any]) -> Group:
    """Return what is due in the months to come, and what is promised for them."""
    grades = list(answer["rows"][0]["receipt"]["committed"])
    return table(
        "Ahead, receipt basis: ordered and forecast, and promised by firmness",
        ("month", "due on order", "forecast", *grades, "promised less both"),
        [
            (
                row["month"],
                r["due"],
                r["forecast"],
                *r["committed"].values(),
                sum(r["committed"].values()) - r["due"] - r["forecast"],
            )
            for row in answer["rows"]
            for r in (row["receipt"],)
        ],
        caption="an order replaces its forecast; planned and material are promised, and not yet started",
    )


def shortages_tables(answer: Mapping[str, Any], most: int) -> tuple[Group, Group]:
    """Return who is short already, and who runs short next, on every promise and on firm ones only."""
    already = [row for row in answer["rows"] if row["short_since"] is not None]
    coming = [row for row in answer["rows"] if row["short_since"] is None]
    shown = {"short already": already, "next to run short": coming}
    tables = [
        table(
            f"{what.capitalize()}, as of {answer['today']}: {min(most, len(rows))} of {len(rows)} products at sites",
            (
                "site", "product", "on hand", "short since", "first short day", "short by then", "at worst",
                "if only firm counts",
            ),
            [
                (row["site"], row["product"], row["on_hand"], row["short_since"], row["first_short_day"],
                 row["first_shortage"], row["shortage"], row["by_firmness"]["firm"]["shortage"])
                for row in rows[:most]
            ],
            caption="on hand + in transit + open commits - required and not yet consumed; overdue supply left out"
            if rows is already else "all of them: waferline shortages --limit 200",
        )
        for what, rows in shown.items()
    ]  # fmt: skip
    return tables[0], tables[1]


def why_tables(answer: Mapping[str, Any]) -> Iterator[Group]:
    """Yield what is behind each shortage: its orders with the supply meant for them, what is overdue, and the causes.

    A row that is short no more since it was ranked has nothing behind it.
    """
    for row in answer["rows"]:
        if "why" not in row:
            continue
        since = f", short since {row['short_since']}" if row["short_since"] else ""
        yield Group(
            Text(f"{row['product']} at {row['site']}", style="bold underline"),
            Text(
                f"{row['first_shortage']:,} wafers short on {row['first_short_day']}, {row['shortage']:,} at worst, "
                f"as of {answer['today']}, commits {answer['firmness']} or above; {row['on_hand']:,} on hand{since}\n"
            ),
            *_behind(row["why"]),
        )
    if answer["rows"]:
        said = "an event as it was said, and its proof: waferline event SOURCE/EVENT; more of each list: --json"
        yield Group(Text(said, style="dim"))
    more = answer["count"] - len(answer["rows"])
    if more > 0:
        yield Group(Text(f"{more:,} more run short: name a --site or a --product", style="dim"))


def _behind(why: Mapping[str, Any]) -> Iterator[Group]:
    orders, overdue, causes = why["orders"][:_SHOWN], why["overdue"][:_SHOWN], why["causes"][:_SHOWN]
    rows: list[tuple[Any, ...]] = []
    for order in orders:
        nothing = [{"kind": "no supply", "wafers": order["short"]}] if order["short"] else []
        what = (order["line"], order["due"], f"{order['wafers']:,}")  # said once for all that is meant for it
        for each in (*order["pegs"], *nothing):
            named = _line(each), each.get("day"), each.get("days_late"), each.get("event")
            rows.append((*what, each["wafers"], *named))
            what = ("", "", "")
    overdrawn = "" if not why["overdrawn"] else (
        f"{why['overdrawn']:,} more went from hand than ever came to it: what comes makes up for that first"
    )  # fmt: skip
    yield table(
        f"Orders short or late: {len(orders)} of {why['orders_count']}",
        ("order", "due", "ordered", "gets", "from", "on", "late", "its event"),
        rows,
        caption=overdrawn,
    )
    if overdue:
        yield table(
            f"Overdue, and counted for nothing until something more is said of it: {len(overdue)} of "
            f"{len(why['overdue'])}",
            ("supply", "was to come on", "wafers", "event"),
            [(_line(each), each["day"], each["wafers"], each["event"]) for each in overdue],
        )
    yield table(
        f"Causes, the greatest first: {len(causes)} of {why['causes_count']}",
        ("wafers", "what happened", "to", "said by", "event"),
        [(each["wafers"], each["what"], _line(each), each["said_by"], each["event"]) for each in causes],
        caption="" if causes else "none: no more was ever said to come, and no less to be required",
    )


_KINDS = {"supply.committed": "commit", "demand.required": "order", "on_hand": "on hand"}


def _line(said: Mapping[str, Any]) -> str:
    """Return a line in words: whose, what, and its name."""
    kind = _KINDS.get(said["kind"], said["kind"])
    return f"{said['source']} {kind} {said['line']}" if "line" in said else kind


def performance_tables(answer: Mapping[str, Any]) -> tuple[Group, Group]:
    """Return how a supplier has kept its commits by product, and how they were kept as they stood some days before."""
    kept = table(
        f"What {answer['supplier']} committed and what came, due through {answer['complete_through'] or 'no day yet'}",
        ("product", "due", "received", "churn %", "commits due", "in full, on time", "%", "nearly: due", "kept", "%"),
        [
            (
                row["product"], row["wafers_due"], row["wafers_received"], row["churn"]["percent"],
                *(row["otif"]["strict"][name] for name in ("denominator", "numerator", "percent")),
                *(row["otif"]["tolerant"][name] for name in ("denominator", "numerator", "percent")),
            )
            for row in answer["rows"]
        ],
        caption="churn: wafers by which these commits were altered, over those due\n" + _grace(answer["rows"]),
    )  # fmt: skip
    lags = table(
        "Against what had been committed some days before it was due",
        ("product", "days before", "committed", "received less that", "bias %", "days behind", "at most", "still open"),
        [
            (
                row["product"], at["lag_days"], at["committed"], at["bias"]["numerator"], at["bias"]["percent"],
                at["slip"]["mean_days"], at["slip"]["greatest_days"], at["slip"]["open_wafers"],
            )
            for row in answer["rows"]
            for at in row["lags"]
        ],
        caption="days behind: how far receipts lie behind the commits, a mean over their wafers; below zero is early\n"
        "– : nothing had been committed so early",
    )  # fmt: skip
    return kept, lags


def _grace(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "nothing was ever committed"
    grace = rows[0]["otif"]["tolerant"]
    return f"nearly so: within {grace['days_of_grace']} days, at least {100 - grace['percent_of_grace']} %"


def alerts_tables(answer: Mapping[str, Any]) -> tuple[Group, Group]:
    """Return how many alerts are open of each code, and those asked for."""
    counts = answer["open"]
    open_ = table(
        f"Alerts, as of {answer['today']}: {sum(counts.values())} are open", tuple(counts), [tuple(counts.values())]
    )
    rows = table(
        f"The most urgent {len(answer['rows'])}",
        ("alert", "of", "day", "detail", "first cause"),
        [
            (
                row["code"],
                " ".join(row["subject"].values()),
                row["day"],
                ", ".join(f"{name.replace('_', ' ')} {_figure(value)}" for name, value in row["detail"].items()),
                next(iter(row["causes"]), ""),
            )
            for row in answer["rows"]
        ],
        caption="what each means, and what to do: docs/alerts.md",
    )
    return open_, rows


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def trace_tables(found: Mapping[str, Any]) -> Iterator[Group]:
    """Yield what is known of one event: what it says, its way, what follows from it, and what belongs to it."""
    event, batch, refused = found["event"], found["batch"], found["refused"]
    if refused is not None:
        said = [tuple(refused.values())]
        yield table(f"{found['source']}/{found['id']}: refused", ("code", "where", "what is wrong"), said)
    else:
        said = [(name, str(value)) for name, value in event["data"].items()]
        title = f"{found['source']}/{found['id']}: {event['type']}, sequence {found['sequence']}, of {event['time']}"
        yield table(title, ("field", "value"), said)
    steps = [
        (step["step"], step["at"][11:23], "" if step["since"] == step["at"] else step["since"][11:23],
         step["lag_ms_max"], step["process"], line.get("log", "–"), line.get("position"))
        for step in found["steps"]
        for line in (step["line"] or {},)
    ]  # fmt: skip
    missing = f"no line of: {', '.join(found['unsaid'])}\n" if found["unsaid"] else ""
    yield table(
        f"Its way, times of UTC; batch {batch['position']}, {batch['events']} events, head {batch['head'][:16]}",
        ("step", "at", "or since", "lag ms, most", "by", "log", "through"),
        steps,
        caption=missing + "since: a line that adds up what came fast is of all from then on. "
        + ("Folded into the balances." if found["folded"] else "NOT yet folded into the balances."),
    )  # fmt: skip
    if found["postings"]:
        rows = [tuple(posting.values()) for posting in found["postings"][:_POSTINGS_SHOWN]]
        more = len(found["postings"]) - len(rows)
        caption = f"net of all {batch['events']} events of the batch" if batch["events"] > 1 else "of this event alone"
        yield table(
            "Postings",
            ("measure", "day", "product", "site", "supplier", "wafers"),
            rows,
            caption=caption + (f"; and {more} more: --json" if more else ""),
        )
    balances = [
        (
            key["product"],
            key["site"],
            key["supplier"],
            name,
            change,
            *(_of(key[at], name) for at in ("before", "after")),
        )
        for key in found["balances"]
        for name, change in key["change"].items()
        if change
    ]
    if balances:
        columns = ("product", "site", "supplier", "balance", "change", "before the batch", "after it")
        yield table("Balances that it changed", columns, balances, caption="–: the store cannot be read here; --store")
    if found["related"]:
        rows = [(", ".join(each["as"]), f"{each['source']}/{each['id']}", each["type"], each["time"]) for each in
                found["related"]]  # fmt: skip
        yield table("What belongs to it", ("as", "event", "type", "time"), rows)


def _of(balance: Mapping[str, int] | None, name: str) -> int | None:
    return None if balance is None else balance[name]


def event_tables(found: Mapping[str, Any]) -> Iterator[Text]:
    """Yield an event as it was said, and what proves that it stands in the record."""
    if found["status"] == "refused":
        why = f"{found['code']} at {found['path'] or 'the whole'}: {found['message']}"
        yield Text(f"{found['source']}/{found['id']} was refused: {why}")
    else:
        yield Text(json.dumps(found["event"], indent=1, ensure_ascii=False))
    line = "on no line" if found["document_line"] is None else f"line {found['document_line']}"
    yield Text(f"\nbatch {found['batch']:,}, {line} of its document, head {found['head']}")
    for what, holds in found["checks"].items():
        yield Text(f"{'proved' if holds else 'NOT proved'}: {what}", style="" if holds else "bold red")
    signed = found["signed_at"]
    yield Text(
        "no checkpoint at hand covers it: who can write to the store could have sealed it anew\n"
        if signed is None
        else f"the checkpoint of batch {signed:,} covers it; that all between is sealed: waferline verify --chain\n",
        style="dim",
    )


def refusals_table(refusals: Sequence[Mapping[str, Any]]) -> Group:
    """Return the events that were not taken, and why."""
    return table(
        f"Refused events: {len(refusals)} (stored, told to their source; the good ones beside them went on)",
        ("source", "sequence", "reason", "where", "what is wrong"),
        [(r["source"], r["sequence"], r["code"], r["path"], r["message"]) for r in refusals],
    )


def counts_table(counts: Mapping[str, int], refused: int) -> Group:
    """Return how many events of each type were recorded."""
    return table(
        f"Events recorded: {sum(counts.values()):,} (and {refused} refused)",
        ("event", "count"),
        sorted(counts.items(), key=lambda item: -item[1]),
    )
