"""Answer of `POST /what-if`: the shortages that events would alter if they were recorded now; none of them is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from services.aggregator.http.models.what_if import WhatIfAnswer
from services.aggregator.http.queries import Graded
from services.aggregator.live.rehearsals import Rehearsals
from services.aggregator.live.view import LiveView
from services.aggregator.plan.overviews import iso_or_none
from services.aggregator.plan.projection import ShortageFigures
from shared.http.access import READ
from shared.http.answering import JSON, DescribedRoute, RouteDoc
from shared.http.problem import AWAY, BUSY, TOO_LONG, UNFIT, UNKNOWN_NAME
from shared.http.query import Query, Text, Yes
from shared.wire.events import NAME_PATTERN

PATH = "/what-if"
_SUMMARY = "The shortages that events would alter if they were recorded now; nothing of them is kept."
_DESCRIPTION = """
The ledger rehearses the events: it returns their postings, by the same rules as if it recorded them. A row
for each product and site that the postings touch, whether its shortage changes or not, sorted: so the first short days
after the events are recorded are those of `after`, as long as no others are recorded before. Watermarks, and
declarations of the programme, alter every row, and are not answered.
"""
_BODY = "CloudEvents of the source, one a line, as `POST /events` of its party takes them once each field is filled."


@dataclass(frozen=True, kw_only=True)
class AskWhatIf(Query):
    """The parameters of `POST /what-if`."""

    source: Annotated[str, Text(NAME_PATTERN, "a name"), "The source of the events."]
    firmness: Graded = "planned"
    past_due: Annotated[bool, Yes(), "Count overdue supply as received today."] = False


def what_if(
    read: Callable[[], LiveView], rehearsals: Rehearsals, take_turn: Callable[[], AbstractContextManager[None]]
) -> DescribedRoute:
    """Return the route over the current view; a query holds a turn until it is answered."""

    async def answer(request: Request) -> Response:
        query = AskWhatIf.read(request.query_params.multi_items())
        events = await request.body()  # shared/http bounds it
        with take_turn():
            found = await rehearsals.find(read(), query.source, events, query.firmness, past_due=query.past_due)
        is_known = found.today is not None
        rows = [
            {
                "product": each.product,
                "site": each.site,
                "before": _figures(each.before) if is_known else None,
                "after": _figures(each.after) if is_known else None,
            }
            for each in found.changes
        ]
        content = {
            "position": found.position,
            "head": found.head,
            "today": iso_or_none(found.today),
            "firmness": query.firmness,
            "duplicates": found.duplicates,
            "refused": found.refused,
            "rows": rows,
        }
        return Response(orjson.dumps(content), media_type=JSON)

    problems = (UNKNOWN_NAME, TOO_LONG, UNFIT, AWAY, BUSY)
    doc = RouteDoc(_SUMMARY, _DESCRIPTION, AskWhatIf, WhatIfAnswer, problems=problems, body=_BODY)
    return DescribedRoute(PATH, answer, scope=READ, doc=doc)


def _figures(figures: ShortageFigures) -> dict[str, Any]:
    return {
        "first_short_day": iso_or_none(figures.first_short_day),
        "first_shortage": figures.first_shortage,
        "shortage": figures.shortage,
    }
