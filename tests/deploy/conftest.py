"""Says how large the images are that were looked at."""

import subprocess

import pytest

_FORMAT = "{{.Repository}}:{{.Tag}} {{.Size}}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a line for each image that is built."""
    if not any("test_images.py" in report.nodeid for report in terminalreporter.stats.get("passed", [])):
        return
    command = ["docker", "image", "ls", "--filter", "reference=waferline/*", "--format", _FORMAT]
    for line in sorted(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()):
        terminalreporter.write_line(f"image {line}")
