"""The supplier's wiring: a party, and its simulation in `fab`."""

from services.supplier.fab import Fab
from shared.party.app import build_party
from shared.party.settings import PartySettings
from shared.service.service import Service


def build_app(settings: PartySettings) -> Service:
    """Return the supplier's service."""
    return build_party("supplier", settings, Fab)
