"""The profile of a partner: the meaning of its names, units, dates and habits; checked when it is read."""

from typing import NamedTuple


class Profile(NamedTuple):
    """The meaning of a partner's words. The default takes a sheet with our own column names and whole wafers."""

    partner: str = ""


class ProfileRefused(Exception):
    """A profile is wrong; the message names the file, the path in it and the reason."""


def read_profile(text: str | bytes, name: str = "profile") -> Profile:
    """Return the profile of a YAML text; raise `ProfileRefused` for the first thing wrong."""
    raise NotImplementedError
