"""python -m services.operator, and the console script `waferline`."""

from services.operator.cli import app
from services.operator.commands.output import open_output


def main() -> None:
    """Run the command line."""
    open_output()
    app()


if __name__ == "__main__":
    main()
