"""python -m services.datacenter"""

import sys

from services.datacenter.app import DatacenterSettings, build_app
from shared.broker import run_service
from shared.log import configure_log

if __name__ == "__main__":
    configure_log("datacenter")
    sys.exit(run_service(build_app(DatacenterSettings())))
