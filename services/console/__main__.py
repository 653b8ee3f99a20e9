"""python -m services.console"""

import sys

from services.console.app import ConsoleSettings, build_app
from shared.broker import run_service
from shared.log import configure_log

if __name__ == "__main__":
    configure_log("console")
    sys.exit(run_service(build_app(ConsoleSettings())))
