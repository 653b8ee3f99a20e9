"""Problems of a document: stable codes, each with the place and the reason."""

from collections.abc import Iterable
from typing import Literal, NamedTuple, get_args

from shared.documents.document import Place

ProblemCode = Literal[
    "no_such_format",
    "too_large",
    "ends_early",
    "missing",
    "unknown_code",
    "unknown_party",
    "unknown_product",
    "unknown_unit",
    "no_wafer_model",
    "no_day",
    "bad_day",
    "ambiguous_day",
    "bad_number",
    "bad_text",
    "fraction",
    "out_of_bounds",
    "date_out_of_bounds",
    "schedule_sum",
    "superseded",
    "formula_without_value",
    "cell_error",
    "repeated",
    "bad_profile",
]
"""The reason for which a document is refused, stable so that a program may act on it."""

PROBLEM_CODES: tuple[ProblemCode, ...] = get_args(ProblemCode)

MEANINGS: dict[ProblemCode, str] = {
    "no_such_format": "The file is neither CSV nor an .xlsx workbook that can be opened. Save it anew as .xlsx.",
    "too_large": "The file, its unpacked content or the number of its cells is above the limit. Send it in parts.",
    "ends_early": "A row has fewer or more values than the header, or a quotation does not end.",
    "missing": "A column or a value that the kind needs is not there.",
    "unknown_code": "The value is none of those that the column takes.",
    "unknown_party": "A site, supplier or owner is named by no name, or the source may not state it.",
    "unknown_product": "The product is not declared. The reason names the nearest declared names.",
    "unknown_unit": "The profile does not say how many wafers the unit is.",
    "no_wafer_model": "The unit needs the wafer model of the product, and the product has none.",
    "no_day": "The column of a matrix or the cell of a day is empty.",
    "bad_day": "The value is no day: no date, week or month that exists.",
    "ambiguous_day": "Day and month could be exchanged. Set `dates` in the profile, or write YYYY-MM-DD.",
    "bad_number": "The value is no number, or its separators need `decimal` in the profile.",
    "bad_text": "The text is too long, or holds characters that the field does not take.",
    "fraction": "The quantity is no whole number of wafers. Set `rounding` in the profile to round it.",
    "out_of_bounds": "The number is below or above the bounds of the field.",
    "date_out_of_bounds": "The day is outside 2000-01-01 to 2100-12-31, or a movement lies after the document.",
    "schedule_sum": "A row or column of totals differs from the sum of its quantities.",
    "superseded": "A later document, or a later event, has stated the line: it is left out, and nothing is refused.",
    "formula_without_value": "The cell holds a formula without a saved value. Open, recalculate and save the file.",
    "cell_error": "The cell holds an error such as #REF!.",
    "repeated": "Two rows state the same line, or two columns have the same header.",
    "bad_profile": "The profile has a field that does not exist, or a value that the field does not take.",
}
"""The meaning of each code, and the way to mend it."""


class DocumentProblem(NamedTuple):
    """One thing wrong with a document."""

    code: ProblemCode
    place: Place
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.code}: {self.reason}"


def in_order(problems: Iterable[DocumentProblem]) -> tuple[DocumentProblem, ...]:
    """Return the problems from the top of the sheet to its end, each once."""
    return tuple(sorted(dict.fromkeys(problems), key=lambda problem: (problem.place.row, problem.place.column)))
