"""The supplier's wiring: a party, and its simulation in `fab`."""

from services.supplier.fab import Fab
from services.supplier.settings import SupplierSettings
from shared.party.app import build_party
from shared.service.service import Service


def build_app(settings: SupplierSettings) -> Service:
    """Return the supplier's service."""
    return build_party("supplier", settings, Fab)
