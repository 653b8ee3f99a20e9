"""A stack elsewhere, with the methods of `Stack` that need no process."""

from pathlib import Path

from services.operator.stack.errors import StackError
from services.operator.stack.location import is_described, read_described, service_url
from shared.play.scenario import Scenario


class RemoteStack:
    """A stack elsewhere; a file names the addresses of its services."""

    def __init__(self, place: Path, scenario: Scenario) -> None:
        if not is_described(place):
            raise StackError(f"{place} describes no stack that runs elsewhere: name its .json file in WAFERLINE_STACK")
        self.folder = place
        self.scenario = scenario
        self.suppliers, self.datacenters = list(scenario.suppliers), list(scenario.datacenters)
        self._facts = read_described(place)

    def url(self, name: str) -> str:
        """Return the HTTP address of a service."""
        return service_url(self._facts, name)

    def tend(self) -> None:
        """Restart nothing: the stack's own platform does."""
