"""The datacenter's wiring: a party, and its simulation in `buildout`."""

from services.datacenter.buildout import Buildout
from shared.party.app import build_party
from shared.party.settings import PartySettings
from shared.service.service import Service


def build_app(settings: PartySettings) -> Service:
    """Return the datacenter's service."""
    return build_party("datacenter", settings, Buildout)
