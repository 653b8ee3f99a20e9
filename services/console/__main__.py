"""python -m services.console"""

import sys

from services.console.app import build_app
from services.console.settings import ConsoleSettings
from shared.process.log import configure_log
from shared.service.service import run_service

if __name__ == "__main__":
    configure_log("console")
    sys.exit(run_service(build_app(ConsoleSettings())))
