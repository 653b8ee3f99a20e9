"""python -m services.ledger"""

import sys

from services.ledger.app import LedgerSettings, build_app
from shared.broker import run_service
from shared.log import configure_log

if __name__ == "__main__":
    configure_log("ledger")
    sys.exit(run_service(build_app(LedgerSettings())))
