"""What must hold of the built images. `make images` builds them; without, or without Docker, this is left out."""

import json
import re
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SERVICES = ["ledger", "aggregator", "console", "notifier", "supplier", "datacenter", "planner", "operator"]
_VERSION = re.search(r'^version = "(.+)"', (_ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
_HEALTHCHECK = ["CMD", "python", "-m", "shared.process.healthcheck"]
_DATA = "/var/lib/waferline"
_WRITABLE = {_DATA, "/tmp", "/var/tmp", "/run/lock", "/dev/shm"}  # noqa: S108 (a read-only root leaves the first two)
_COMPILER = re.compile(r"(.*-)?(gcc|g\+\+|cc|c\+\+|clang|cpp|ld|as|make|cargo|rustc|go)(-\d+)?")
_SECRET = re.compile(r"id_\w+|.*\.(key|pem|p12|acl)|\.env|\.git|\.netrc|\.pypirc|pip\.conf|(token|redis|postgres)-\w+")
_CACHE = re.compile(r"/\.cache/|/pip/(http|wheels)|/wheels/")
_PUBLIC = re.compile(
    r"/etc/ssl/certs/.*|/usr/lib/ssl/.*|/usr/share/(ca-certificates|python-wheels)/.*|.*/certifi/cacert\.pem"
)
_FIND = r"""
import importlib.metadata, json, os
files = [os.path.join(folder, name) for folder, folders, names in os.walk("/") for name in (*names, *folders)]
files = [path for path in files if not path.startswith(("/proc/", "/sys/", "/dev/"))]
print(json.dumps({
    "files": files,
    "writable": [path for path in files if not os.path.islink(path) and os.access(path, os.W_OK)],
    "packages": {found.name.lower().replace("_", "-"): found.version for found in importlib.metadata.distributions()},
}))
"""


def _docker(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], input=text, capture_output=True, text=True, timeout=120, check=False)  # noqa: S607


def _run(image: str, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return _docker("run", "--rm", "--network", "none", *options, "--entrypoint", "python", image, *arguments)


@pytest.fixture(params=_SERVICES)
def service(request: pytest.FixtureRequest) -> str:
    """A service whose image is built."""
    return _built(request.param)


def _built(service: str) -> str:
    try:
        if _docker("version").returncode:
            pytest.skip("no Docker engine answers")
    except FileNotFoundError:
        pytest.skip("there is no docker")
    if _docker("image", "inspect", _image(service)).returncode:
        pytest.skip(f"{_image(service)} is not built: make images")
    return service


def _image(service: str) -> str:
    return f"waferline/{service}:{_VERSION}"


def faults(service: str, image: str) -> set[str]:
    """What is wrong with the image of a service."""
    [facts] = json.loads(_docker("image", "inspect", image).stdout)
    config = facts["Config"]
    seen = json.loads(_run(image, "-c", _FIND, options=("--user", "0")).stdout)
    open_to_it = json.loads(_run(image, "-c", _FIND, options=("--user", "10001:10001")).stdout)["writable"]
    locked = (_ROOT / "deploy" / "requirements" / f"{service}.txt").read_text()
    pinned = dict(re.findall(r"^(\S+)==(\S+) ", locked, re.MULTILINE))
    found = set()
    if config["User"] != "10001:10001":
        found.add(f"runs as {config['User']}")
    if service != "operator" and config.get("Healthcheck", {}).get("Test") != _HEALTHCHECK:
        found.add("tells nobody whether it is well")
    if config["Labels"].get("org.opencontainers.image.version") != _VERSION:
        found.add("does not say its version")
    found |= {f"environment: {it}" for it in config["Env"] if re.search("password|token|secret", it, re.IGNORECASE)}
    found |= {f"{name} is missing or another version" for name, version in pinned.items() - seen["packages"].items()}
    found |= {f"{name} is superfluous" for name in seen["packages"].keys() - pinned.keys()}
    found |= {f"{path} is writable" for path in open_to_it if not _within(path, _WRITABLE)}
    for path in seen["files"]:
        name = path.rpartition("/")[2]
        if _COMPILER.fullmatch(name) and "/bin/" in path:
            found.add(f"{path} compiles")
        if not _PUBLIC.fullmatch(path) and (_SECRET.fullmatch(name) or _CACHE.search(path)):
            found.add(f"{path} does not belong here")
    found |= _faults_at_start(service, image)
    return found


def _within(path: str, folders: set[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _faults_at_start(service: str, image: str) -> set[str]:
    """What is wrong when a service is imported as it runs: nobody of note, on a root that takes no write."""
    # the command line itself starts without the aggregator, which answers its queries to a stack at rest
    module = f"services.{service}." + ("ask.offline" if service == "operator" else "app")
    options = ("--read-only", "--user", "10001:10001", "--env", "NUMBA_DEBUG_CACHE=1")
    done = _run(image, "-c", f"import {module}", options=options)
    if done.returncode:
        return {f"does not start: {done.stderr.strip().splitlines()[-1]}"}
    if service in {"aggregator", "operator"} and "data loaded from '/opt/waferline/kernels/" not in done.stdout:
        return {"has no compiled kernels"}
    return {"compiles at its start"} if "data saved" in done.stdout else set()


def test_an_image_is_as_it_should_be(service: str) -> None:
    assert faults(service, _image(service)) == set()


def test_an_image_that_serves_nobody_is_not_well(service: str) -> None:
    done = _run(_image(service), "-m", "shared.process.healthcheck", options=("--env", "WAFERLINE_HTTP_PORT=8100"))

    assert done.returncode == 1
    assert "no answer at" in done.stderr


_SPOILED = [
    ("HEALTHCHECK NONE", "tells nobody whether it is well"),
    ("LABEL org.opencontainers.image.version=0", "does not say its version"),
    ("ENV REDIS_PASSWORD=x", "environment: REDIS_PASSWORD=x"),
    ("RUN rm -r $SITE/orjson-*", "orjson is missing or another version"),
    ("RUN echo Name: numba > $SITE/numba-1.egg-info", "numba is superfluous"),
    ("RUN touch $SITE/open.py && chmod 0666 $SITE/open.py", "{SITE}/open.py is writable"),
    ("RUN cp /bin/true /usr/local/bin/gcc-14", "/usr/local/bin/gcc-14 compiles"),
    ("RUN touch /opt/waferline/ledger.key", "/opt/waferline/ledger.key does not belong here"),
    ("RUN mkdir -p /root/.cache && touch /root/.cache/pip", "/root/.cache/pip does not belong here"),
    ("USER 0", "runs as 0"),
]  # fmt: skip
_SITE = "/opt/waferline/python/lib/python3.13/site-packages"


def test_each_fault_of_an_image_is_found() -> None:
    lines, found = zip(*_SPOILED, strict=True)

    assert _faults_of_spoiled(_built("supplier"), *lines) == {fault.format(SITE=_SITE) for fault in found}


def test_an_image_without_a_package_that_it_needs_does_not_start() -> None:
    [fault] = _faults_of_spoiled(_built("supplier"), "RUN rm -r $SITE/pydantic")

    assert fault == "does not start: ModuleNotFoundError: No module named 'pydantic'"


def test_a_kernel_that_was_compiled_for_another_processor_is_found() -> None:
    [fault] = _faults_of_spoiled(_built("aggregator"), "ENV NUMBA_CPU_NAME=generic")

    assert fault.startswith("does not start: OSError: [Errno 30] Read-only file system: '/opt/waferline/kernels/")


def _faults_of_spoiled(service: str, *lines: str) -> set[str]:
    spoiled = f"waferline/spoiled-{service}:{_VERSION}"
    try:
        done = _docker("build", "--quiet", "--tag", spoiled, "-", text=_spoiled(service, *lines))
        assert done.returncode == 0, done.stderr
        return faults(service, spoiled)
    finally:
        _docker("image", "rm", "--force", spoiled)


def _spoiled(service: str, *lines: str) -> str:
    as_given = "\n".join(lines).replace("$SITE", _SITE)
    ends_as = "" if any(line.startswith("USER") for line in lines) else "USER 10001:10001\n"
    return f"FROM {_image(service)}\nUSER 0\n{as_given}\n{ends_as}"
