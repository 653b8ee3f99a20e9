"""Does docs/howto/deploy.md do what it shows? It is played in a copy of the checkout, on the ports that it names."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.stack import ROOT
from tests.docs.playing import play

PROJECT = "waferline-page"
PORTS = (8101, 8102, 8103, 8111, 8112, 8113, 8114, 8121, 8122, 8123)
WHEELS = Path("deploy/airgap/wheels")


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A copy of what is in git here, and of the wheels where a build needs them."""
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"port {port} is taken by another stack: stop it, `make down`")
    listed = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    names += [str(WHEELS / wheel.name) for wheel in (ROOT / WHEELS).glob("*.whl")]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / ".git", tmp_path / ".git", symlinks=True)  # an image names its revision
    yield tmp_path
    subprocess.run(
        ["make", "down", "ARGS=--volumes", f"COMPOSE_PROJECT_NAME={PROJECT}"],  # noqa: S607
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip


def test_the_page_does_what_it_shows(checkout: Path) -> None:
    wrong = play("howto/deploy.md", checkout, COMPOSE_PROJECT_NAME=PROJECT)

    assert not wrong, "\n\n".join(wrong)
