"""Scope of a declared party: the sites and the suppliers of its roles."""

from typing import NamedTuple

from shared.wire.events import PartyDeclared


class PartyScope(NamedTuple):
    """The sites at which a party has a role, and the suppliers towards which it has one."""

    sites: frozenset[str]
    suppliers: frozenset[str]

    @classmethod
    def of(cls, party: PartyDeclared) -> "PartyScope":
        """Return the scope of a declared party."""
        sites = frozenset(role.name for role in party.roles if role.of == "site")
        return cls(sites, frozenset(role.name for role in party.roles if role.of == "supplier"))

    def has(self, site: str | None, supplier: str | None) -> bool:
        """Return whether the party has a role at a site or towards a supplier."""
        return site in self.sites or supplier in self.suppliers
