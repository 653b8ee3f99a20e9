"""The datacenter's wiring: a party, and its simulation in `buildout`."""

from services.datacenter.buildout import Buildout
from services.datacenter.settings import DatacenterSettings
from shared.party.app import build_party
from shared.service.service import Service


def build_app(settings: DatacenterSettings) -> Service:
    """Return the datacenter's service."""
    return build_party("datacenter", settings, Buildout)
