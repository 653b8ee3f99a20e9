"""python -m services.datacenter"""

import sys

from services.datacenter.app import DatacenterSettings, build_app
from shared.process.log import configure_log
from shared.service.service import run_service

if __name__ == "__main__":
    configure_log("datacenter")
    sys.exit(run_service(build_app(DatacenterSettings())))
