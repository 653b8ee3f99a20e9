"""python -m services.ledger"""

import sys

from services.ledger.app import build_app
from services.ledger.settings import LedgerSettings
from shared.process.log import configure_log
from shared.service.service import run_service

if __name__ == "__main__":
    configure_log("ledger")
    sys.exit(run_service(build_app(LedgerSettings())))
