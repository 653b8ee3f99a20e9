"""python -m services.aggregator"""

import sys

from services.aggregator.app import AggregatorSettings, build_app
from shared.process.log import configure_log
from shared.service.service import run_service

if __name__ == "__main__":
    configure_log("aggregator")
    sys.exit(run_service(build_app(AggregatorSettings())))
