"""python -m services.supplier"""

import sys

from services.supplier.app import SupplierSettings, build_app
from shared.broker import run_service
from shared.log import configure_log

if __name__ == "__main__":
    configure_log("supplier")
    sys.exit(run_service(build_app(SupplierSettings())))
