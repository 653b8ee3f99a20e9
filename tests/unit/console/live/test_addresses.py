"""The console's addresses follow their file; a file with a fault changes nothing."""

import json
from pathlib import Path

from services.console.live.addresses import AddressWatch
from services.console.settings import ConsoleSettings
from shared.service.service import Service

LEDGER = {"ledger": "http://l", "aggregator": "http://a"}


def test_parties_come_and_go_with_the_file(tmp_path: Path) -> None:
    path, urls = tmp_path / "stack.json", dict(LEDGER)
    named = {"ledger": "http://other", "supplier-a": "http://1"}
    path.write_text(json.dumps({"redis_url": "redis://r", "services": named}))
    watch = AddressWatch(Service("console", ConsoleSettings()), path, urls)
    at_start = dict(urls)
    path.write_text(json.dumps({"services": {"supplier-b": "http://22"}}))
    watch.follow()
    changed = dict(urls)
    path.write_text("{")
    watch.follow()

    assert at_start == LEDGER | {"supplier-a": "http://1"}
    assert changed == urls == LEDGER | {"supplier-b": "http://22"}
