"""python -m services.aggregator"""

import sys

from services.aggregator.app import build_app
from services.aggregator.settings import AggregatorSettings
from shared.process.log import configure_log
from shared.service.service import run_service

if __name__ == "__main__":
    configure_log("aggregator")
    sys.exit(run_service(build_app(AggregatorSettings())))
