"""python -m services.operator, and the console script `waferline`."""

from services.operator.cli import app


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
