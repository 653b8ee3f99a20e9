"""python -m services.aggregator"""

import sys

from services.aggregator.app import AggregatorSettings, build_app
from shared.broker import run_service
from shared.log import configure_log

if __name__ == "__main__":
    configure_log("aggregator")
    sys.exit(run_service(build_app(AggregatorSettings())))
