"""Do the pages of the commands and the settings say what the code does?"""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.operator.docs.__main__ import reference_pages
from services.operator.docs.commands_page import all_commands
from services.operator.docs.limits_page import bounds_of
from services.operator.docs.settings_page import SETTINGS
from shared.process.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
PAGES, COMMANDS = reference_pages(), all_commands()


def all_settings(settings: type[ServiceSettings] = ServiceSettings) -> Iterator[type[ServiceSettings]]:
    """Every class of settings, once each service is imported."""
    for path in (ROOT / "services").glob("*/app.py"):
        importlib.import_module(f"services.{path.parent.name}.app")
    yield settings
    for each in settings.__subclasses__():
        yield from all_settings(each)


@pytest.mark.parametrize("place", PAGES, ids=str)
def test_a_page_is_as_the_code_is(place: Path) -> None:
    assert (ROOT / place).read_text(encoding="utf-8") == PAGES[place], f"{place}: run `make contracts`"


def test_the_settings_of_every_service_are_on_the_page() -> None:
    assert set(SETTINGS.values()) == set(all_settings())


@pytest.mark.parametrize(
    "field",
    [f"{settings.__name__}.{name}" for settings in SETTINGS.values() for name in settings.model_fields],
)
def test_a_setting_says_what_it_means(field: str) -> None:
    settings, _, name = field.partition(".")

    (found,) = [each for each in SETTINGS.values() if each.__name__ == settings]
    assert found.model_fields[name].description


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_shows_an_example_that_is_its_own(name: str) -> None:
    examples = [part for part in COMMANDS[name].help.split("\n\n") if part.startswith("Example: ")]

    assert any(f"waferline {name}" in example for example in examples)


def test_what_is_called_a_most_is_on_the_page_of_limits() -> None:
    named = {(each.__name__, name) for each in SETTINGS.values() for name in each.model_fields if name.endswith("_max")}
    listed = {(each.__name__, name) for each in SETTINGS.values() for name in bounds_of(each)}
    inherited = {
        (each.__name__, name)
        for each in SETTINGS.values()
        for base in each.__mro__[1:]
        for name in getattr(base, "model_fields", {})
    }

    assert named - inherited <= listed
