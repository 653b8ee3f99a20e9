"""Does the audit tell a fault from a service that cannot be asked? With a stand-in for pip-audit."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "deploy/audit.sh"


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ("exit 0", 0, "audit: no known fault in the 1 packages"),
        ("echo jinja2 3.1.3 CVE; echo Found 1 known vulnerability in 1 package >&2; exit 1", 1, "jinja2 3.1.3 CVE"),
        ("echo ConnectionError: no route >&2; exit 1", 0, "audit: not run: the advisories cannot be asked"),
        ("echo jinja2: could not be audited >&2; exit 1", 0, "audit: not run"),
    ],
)
def test_the_audit_tells_a_fault_from_silence(tmp_path: Path, answer: str, code: int, said: str) -> None:
    auditor = tmp_path / "audit/venv/bin/pip-audit"
    auditor.parent.mkdir(parents=True)
    auditor.write_text(f"#!/bin/sh\n{answer}\n")
    auditor.chmod(0o755)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("jinja2==3.1.3 --hash=sha256:00\n")

    done = subprocess.run(
        [SCRIPT, sys.executable, requirements],
        env={"PATH": "/usr/bin:/bin", "AUDIT_FOLDER": str(tmp_path / "audit")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == code, done
    assert said in done.stdout


def test_the_audit_says_so_where_its_auditor_cannot_be_installed(tmp_path: Path) -> None:
    done = subprocess.run(
        [SCRIPT, "/bin/false", tmp_path / "requirements.txt"],
        env={"PATH": "/usr/bin:/bin", "AUDIT_FOLDER": str(tmp_path / "audit")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout.startswith("audit: not run: pip-audit cannot be installed")) == (0, True)
