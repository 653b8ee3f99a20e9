"""Small .xlsx files, made cell by cell: also those that no library writes, such as a formula with its saved value."""

from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile

from shared.documents.document import column_letters

NAMESPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"


class Raw(str):
    """The XML of a cell, without its place: `<c t="e"><v>#REF!</v></c>` is `Raw(' t="e"><v>#REF!</v>')`."""

    __slots__ = ()


def formula(text: str, saved: object = None) -> Raw:
    value = "" if saved is None else f"<v>{saved}</v>"
    return Raw(f"><f>{escape(text)}</f>{value}")


def error(text: str) -> Raw:
    return Raw(f' t="e"><v>{text}</v>')


def cell_xml(row: int, column: int, value: object) -> str:
    place = f'<c r="{column_letters(column)}{row}"'
    if isinstance(value, Raw):
        return f"{place}{value}</c>"
    if isinstance(value, bool):
        return f'{place} t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f"{place}><v>{value}</v></c>"
    return f'{place} t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'


def sheet_xml(
    rows: Iterable[Sequence[object]], merged: Sequence[str] = (), hidden: Sequence[int] = (), more: str = ""
) -> str:
    lines = []
    for number, values in enumerate(rows, start=1):
        cells = "".join(cell_xml(number, at, value) for at, value in enumerate(values, start=1) if value is not None)
        state = ' hidden="1"' if number in hidden else ""
        lines.append(f'<row r="{number}"{state}>{cells}</row>')
    merges = "".join(f'<mergeCell ref="{each}"/>' for each in merged)
    merges = f"<mergeCells>{merges}</mergeCells>" if merged else ""
    return f'<worksheet xmlns="{NAMESPACE}"><sheetData>{"".join(lines)}{more}</sheetData>{merges}</worksheet>'


def workbook(sheets: Mapping[str, str], hidden: Sequence[str] = (), date_1904: bool = False) -> bytes:
    """Return a workbook of sheets, each by its title and its XML."""
    names = list(sheets)
    states = dict.fromkeys(hidden, ' state="hidden"')
    listed = "".join(
        f'<sheet name="{escape(name)}" sheetId="{n}" r:id="rId{n}"{states.get(name, "")}/>'
        for n, name in enumerate(names, start=1)
    )
    related = "".join(
        f'<Relationship Id="rId{n}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(names) + 1)
    )
    types = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.xml"'
        ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
        for n in range(1, len(names) + 1)
    )
    properties = '<workbookPr date1904="1"/>' if date_1904 else ""
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/xl/workbook.xml"'
        ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        f"{types}</Types>",
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1"'
        f' Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{NAMESPACE}" xmlns:r="{RELATIONS}">{properties}'
        f"<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{related}</Relationships>',
    }
    parts |= {f"xl/worksheets/sheet{n}.xml": sheets[name] for n, name in enumerate(names, start=1)}
    return zipped(parts)


def zipped(parts: Mapping[str, str]) -> bytes:
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return packed.getvalue()


def one_sheet(
    rows: Iterable[Sequence[object]], merged: Sequence[str] = (), hidden: Sequence[int] = (), more: str = ""
) -> bytes:
    return workbook({"Plan": sheet_xml(rows, merged, hidden, more)})
