"""Sums of the columns of a sheet, with which its rows of totals are compared."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal

from shared.documents.document import Place
from shared.documents.problems import DocumentProblem


class Totals:
    """The sum of each column: of all rows, and of those since the last row of totals."""

    def __init__(self) -> None:
        self._all: dict[int, Decimal] = defaultdict(Decimal)
        self._since: dict[int, Decimal] = defaultdict(Decimal)
        self._spoilt: set[int] = set()

    def add(self, column: int, number: Decimal) -> None:
        """Add a number of a column."""
        self._all[column] += number
        self._since[column] += number

    def spoil(self, column: int) -> None:
        """Compare no total of a column of which a value could not be read."""
        self._spoilt.add(column)

    def check_row(self, numbers: Iterable[tuple[Place, Decimal]]) -> list[DocumentProblem]:
        """Return the problems of a row of totals: each is the sum since the last one, or that of all rows above."""
        problems = list(self._differences(numbers))
        self._since.clear()
        return problems

    def _differences(self, numbers: Iterable[tuple[Place, Decimal]]) -> Iterator[DocumentProblem]:
        for place, number in numbers:
            whole, since = self._all[place.column], self._since[place.column]
            if number not in (whole, since) and place.column not in self._spoilt:
                yield DocumentProblem("schedule_sum", place, f"says {number:f}, and the rows above add up to {whole:f}")
