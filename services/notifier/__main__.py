"""python -m services.notifier"""

import sys

from services.notifier.app import build_app
from services.notifier.settings import NotifierSettings
from shared.process.log import configure_log
from shared.service.service import run_service

if __name__ == "__main__":
    configure_log("notifier")
    sys.exit(run_service(build_app(NotifierSettings())))
