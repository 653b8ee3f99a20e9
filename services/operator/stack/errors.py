"""The error that a command reports in one line."""


class StackError(Exception):
    """A command cannot do its work; the message gives the reason and the next step."""
