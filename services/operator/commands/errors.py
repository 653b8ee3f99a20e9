"""Errors of a command, each reported in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from services.operator.record.failures import database_failures, explain_failure
from services.operator.stack.errors import StackError
from shared.process.credentials import CredentialsError


@contextmanager
def report_errors() -> Iterator[None]:
    """Print an error as one line with its reason and the next step, and exit with 1."""
    try:
        yield
    except (StackError, CredentialsError) as error:
        _exit(str(error), error)
    except BrokenPipeError:
        raise  # the reader of the output has closed it: typer exits silently
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        _exit(f"{place}{error.strerror or error}", error)
    except database_failures() as error:
        _exit(explain_failure(error), error)


def _exit(message: str, error: Exception) -> NoReturn:
    typer.secho(f"waferline: {message}", fg="red", err=True)
    raise typer.Exit(1) from error
