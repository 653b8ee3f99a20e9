"""Writes the Debian and Python packages of an image as CycloneDX: python deploy/sbom.py IMAGE FILE."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

_DEBIAN = ["dpkg-query", "--show", "--showformat", r"${Package}\t${Version}\t${Architecture}\n"]
_PYTHON = """
import importlib.metadata, platform
print("python", platform.python_version(), sep="\\t")
for found in importlib.metadata.distributions():
    print(found.name, found.version, sep="\\t")
"""


def write_sbom(image: str, path: Path) -> int:
    """Write the packages of an image to a file, and return their number; raises if the document is not valid."""
    [facts] = json.loads(_docker("image", "inspect", image))
    name, _, version = image.rpartition(":")
    # the same image gives the same document: no time or chance in it
    bom = Bom(components=_components(image), serial_number=uuid.uuid5(uuid.NAMESPACE_OID, facts["Id"]))
    bom.metadata.timestamp = datetime.fromisoformat(facts["Created"][:19] + "+00:00")
    bom.metadata.component = Component(name=name, version=version, type=ComponentType.CONTAINER, bom_ref=facts["Id"])
    bom.register_dependency(bom.metadata.component, bom.components)
    text = JsonV1Dot6(bom).output_as_string(indent=1)
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ValueError(f"{image}: the document is no CycloneDX 1.6: {str(fault)[:500]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    return len(bom.components)


def _components(image: str) -> Iterator[Component]:
    for line in _run(image, *_DEBIAN):
        name, version, architecture = line.split("\t")
        yield _component(PackageURL("deb", "debian", name, version, {"arch": architecture}))
    for line in _run(image, "python", "-c", _PYTHON):
        name, version = line.split("\t")
        yield _component(PackageURL("generic" if name == "python" else "pypi", None, name, version))


def _component(url: PackageURL) -> Component:
    return Component(name=url.name, version=url.version, type=ComponentType.LIBRARY, purl=url, bom_ref=str(url))


def _run(image: str, *command: str) -> list[str]:
    return _docker("run", "--rm", "--network", "none", "--entrypoint", command[0], image, *command[1:]).splitlines()


def _docker(*arguments: Any) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout  # noqa: S607


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        count = write_sbom(sys.argv[1], Path(sys.argv[2]))
    except subprocess.CalledProcessError as failure:
        sys.exit(f"sbom: {failure.stderr.strip()}; is {sys.argv[1]} built? make images")
    print(f"{sys.argv[2]}: {count} packages")
