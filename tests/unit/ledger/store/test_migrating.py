import subprocess
import sys
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from services.ledger.store import migrating

SCRIPTS = Path(migrating.__file__).parent / "migrations"


def test_the_constant_is_the_newest_of_the_scripts():
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    revisions = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]

    assert migrating.NEWEST == revisions[0] == max(revisions)
    assert all(len(revision) == 4 and revision.isdigit() for revision in revisions)  # they are compared as texts


def test_a_store_that_is_up_to_date_loads_no_alembic():
    said = "import sys, services.ledger.store.migrating; print(*sorted({'alembic', 'sqlalchemy'} & sys.modules.keys()))"

    loaded = subprocess.run([sys.executable, "-c", said], check=True, capture_output=True, text=True)

    assert loaded.stdout.strip() == ""
