"""python -m services.planner"""

import sys

from services.planner.app import build_app
from services.planner.settings import PlannerSettings
from shared.process.log import configure_log
from shared.service.service import run_service

if __name__ == "__main__":
    configure_log("planner")
    sys.exit(run_service(build_app(PlannerSettings())))
