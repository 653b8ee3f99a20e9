"""python -m services.supplier"""

import sys

from services.supplier.app import build_app
from shared.party.settings import PartySettings
from shared.process.log import configure_log
from shared.service.service import run_service

if __name__ == "__main__":
    configure_log("supplier")
    sys.exit(run_service(build_app(PartySettings())))
