"""What a page shows: read from its address, so that the address can be sent to a colleague."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Self
from urllib.parse import urlencode

from shared.events import FIRMNESS


@dataclass(frozen=True)
class View:
    """The filters of a page; what is empty is not asked for."""

    product: str = ""
    site: str = ""
    supplier: str = ""
    firmness: str = ""
    as_of: str = ""  # a batch of the ledger, or the end of a day; none: now
    offset: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Return the view of an address; what is no filter of ours is left out."""
        return cls(**{name: query[name].strip() for name in cls.__dataclass_fields__ if name in query})

    def params(self, *names: str) -> dict[str, str]:
        """Return the filters that are set, of those that a route knows."""
        return {name: value for name, value in asdict(self).items() if value and name in {*names, "as_of"}}

    def link(self, path: str, **changes: str) -> str:
        """Return the address of a page with these filters, some of them changed; another page begins at its start."""
        changed = replace(self, **{"offset": "", **changes})
        query = urlencode({name: value for name, value in asdict(changed).items() if value})
        return f"{path}?{query}" if query else path

    @property
    def grade(self) -> str:
        """The firmness that commits must have to be counted on."""
        return self.firmness or FIRMNESS[0]

    @property
    def is_filtered(self) -> bool:
        """Whether anything is left out."""
        return bool(self.product or self.site or self.supplier)
