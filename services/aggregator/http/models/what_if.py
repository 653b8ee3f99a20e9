"""Response model of `POST /what-if`."""

from datetime import date

from shared.http.answering import Described
from shared.wire.firmness import Firmness


class ProjectedShortage(Described):
    """When a product runs short at a site."""

    first_short_day: date | None
    """Null where it does not run short within the horizon."""
    first_shortage: int
    """Wafers short on that day."""
    shortage: int
    """Wafers short at worst."""


class WhatIfRow(Described):
    """A product at a site that the events touch."""

    product: str
    site: str
    before: ProjectedShortage | None
    """As it is; null while `today` is null: it is not known."""
    after: ProjectedShortage | None
    """As it would be."""


class WhatIfRefusal(Described):
    """An event that the ledger would refuse."""

    line: int | None
    """Its line in the body."""
    id: str | None
    code: str
    path: str
    message: str


class WhatIfAnswer(Described, title="WhatIf"):
    """The shortages that some events would alter, on top of one position."""

    position: int
    head: str
    today: date | None
    """The day on which the plan begins, after the last complete day; null before any day is complete."""
    firmness: Firmness
    duplicates: int
    """Events that are recorded already, or come twice."""
    refused: list[WhatIfRefusal]
    rows: list[WhatIfRow]
