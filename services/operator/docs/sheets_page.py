"""The page of sheets, docs/reference/sheets.md: their columns, the profile of a partner, and the codes of problems."""

from services.operator.contracts.markdown import prose, table
from services.operator.docs.cells import text_cell
from shared.documents.columns import TERMS, Column
from shared.documents.document import KINDS, PLANS, STATED_BY, Kind
from shared.documents.problems import MEANINGS
from shared.documents.profile import FIELDS
from shared.documents.sheets import PROBLEMS_MAX
from shared.documents.tables.delimited import BYTES_MAX, CELLS_MAX, HEADER_ROWS
from shared.documents.tables.workbook import UNPACKED_MAX

_INTRODUCTION = f"""\
# Sheets

<!-- Written by `make contracts` from shared/documents: change that, not this page. -->

A sheet is a CSV file or an .xlsx workbook of at most {BYTES_MAX // 2**20} MiB, {UNPACKED_MAX // 2**20} MiB unpacked and
{CELLS_MAX:,} cells. It states facts of one kind. [Take a planner's sheet](../howto/sheets.md) shows the way of one."""

_FORMS = f"""\
## Forms

**Rows**: a column is a field, a row is a line. **Matrix**: key columns, then a column for each day, week or month; a
cell is a line. A sheet whose header has days, and no column of days, is a matrix.

The header is the one of the first {HEADER_ROWS} rows that names most columns. Names are compared without case; a blank,
`_` and `-` are the same. Columns that are not named below are left out and listed. Rows and sheets that are hidden are
left out and counted; columns that are hidden are read, and named. A row whose key says Total, Sum or Summe is left out
and compared with the rows above it, a column of that name with its row. A merged cell of a key column gives its value
to all its rows; a merged quantity is a problem. In a matrix so is a header that is a month or a week without its year,
a quarter, a number, an error or a formula without a value: its wafers are never left out.

**Days**: a date cell, `2026-07-06`, `6 Jul 2026`, a week as `2026-W28` or `KW28/2026`, a month as `Aug 2026` or
`2026-08`. `03/04/2026` needs `dates` in the profile. **Numbers**: `1200`; `1.200` needs `decimal`; a number of a
workbook has the 15 digits that a spreadsheet shows. Nothing is guessed: a value that can be read in two ways is a
problem of its cell.

**CSV**: UTF-8, UTF-16 with a byte order mark, else Windows-1252; the delimiter is the most frequent one of `,` `;` tab
and `|` in the first line with two of them. A quotation that does not end, and a row with more or fewer values than the
header, are problems."""

_RULES = """\
## Lines and events

A sheet states all its lines or none. Each line is compared with the line in force of the same name: a new one gets
revision 0, a changed one the next revision, an unchanged one no event. 0 wafers withdraw a line. A row without a name
gets one of product, site, supplier and day.

With `replace: true` in the profile a commit, forecast or order that the sheet does not name is withdrawn, if it has
the product, site and supplier of any row of the sheet and is due between its first and its last day. Lines before and
after stay.

The time of the events is the time at which the document was issued. An older document that is read after a newer one
changes none of the lines that the newer one has stated (`superseded`). A sheet that is read twice says nothing twice.

A receipt or a count has the first instant of its day, UTC. A receipt that a later sheet states otherwise is reversed
and stated anew; a count gets its next revision. Both are stated once, however many sheets list them."""


def sheets_page() -> str:
    """Return the page, in Markdown."""
    parts = [*map(_wrapped, (_INTRODUCTION, _FORMS, _RULES))]
    for kind in KINDS:
        parts += [f"## Columns of {kind}", prose(_opening(kind)), _columns(TERMS[kind].columns)]
    parts += [
        "## Profile",
        prose(
            "A YAML file for each partner. A sheet with the column names above needs none. Every field may be absent."
        ),
        table(("field", "meaning"), [(f"`{name}`", text_cell(meaning)) for name, meaning in FIELDS.items()]),
        "## Problems",
        prose(
            "Each problem has a code, a place (`Call-off!E4` in a workbook, `row 3, column Due` in a CSV file) and a"
            f" reason. A sheet names all its problems at once, {PROBLEMS_MAX:,} at most."
        ),
        table(("code", "meaning"), [(f"`{code}`", text_cell(meaning)) for code, meaning in MEANINGS.items()]),
    ]
    return "\n\n".join(parts) + "\n"


def _wrapped(text: str) -> str:
    """Return paragraphs wrapped, headings and comments as they are."""
    return "\n\n".join(part if part.startswith(("#", "<!--")) else prose(part) for part in text.split("\n\n"))


def _opening(kind: Kind) -> str:
    terms = TERMS[kind]
    matrix = ""
    if terms.day:
        matrix = f" As a matrix: the header holds `{terms.day}`, the cells hold `{terms.quantity}`."
    replaced = " A document may replace those of its horizon." if kind in PLANS else ""
    return f"A {STATED_BY[kind]} states them; each is an event `{terms.event}`.{matrix}{replaced}"


def _columns(columns: tuple[Column, ...]) -> str:
    rows = [
        (f"`{column.name}`", "yes" if column.required else "", text_cell(column.meaning), f"`{column.example}`")
        for column in columns
    ]
    return table(("column", "necessary", "meaning", "example"), rows)
