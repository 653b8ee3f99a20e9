"""The effect of a recorded event: it holds, another statement supersedes it, or it has none."""

from typing import NamedTuple

from shared.wire.rows import Row


class Effect(NamedTuple):
    """The effect of an event, and the reason where it does not hold."""

    effect: str  # `holds`, `superseded by <id>` or `none`
    why: str = ""


HOLDS = Effect("holds")
REVERSED = Effect("none", "its source reverses its id: publish what is right under a new id")
UNKNOWN_TARGET = "its source has recorded no event of that id: if it comes later, it will have no effect"


def statement_effect(id_: str, in_force: str | None) -> Effect:
    """Return the effect of a statement of a line, or of a count of a day, by the id of the one in force."""
    if in_force == id_:
        return HOLDS
    return Effect(f"superseded by {in_force}", "the greatest (revision, time, id) holds")


def reversal_effect(target: Row | None, why_missing: str = UNKNOWN_TARGET) -> Effect:
    """Return the effect of a reversal, by the recorded event of its source that it names."""
    if target is None:
        return Effect("none", why_missing)
    if target.name == "event.reversed":
        return Effect("none", "a reversal cannot be reversed: publish the event again under a new id")
    return HOLDS
