"""No bytes make the reader raise, take long, or take much memory."""

from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from shared.documents.document import KINDS
from shared.documents.marking import mark_problems
from shared.documents.problems import PROBLEM_CODES
from shared.documents.profile import Profile
from shared.documents.sheets import PROBLEMS_MAX, Sheet, read_sheet
from shared.documents.tables.delimited import BYTES_MAX, CELLS_MAX
from shared.documents.tables.workbook import UNPACKED_MAX
from testing.workbooks import NAMESPACE, RELATIONS, formula, one_sheet, sheet_xml, workbook

ROWS = [["product", "site", "supplier", "2026-07-06", "Total"], ["P", "S", "north", 4, formula("D2", 4)]]
WORKBOOK = workbook({"Plan": sheet_xml(ROWS, merged=["A2:A3"], hidden=[3])})
CSV = 'product;site;due;wafers;firmness\r\nP;"S";2026-07-06;4;firm\r\nP;S;Aug 2026;1.200,5;planned\r\n'.encode(
    "utf-8-sig"
)
slow = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(body, kind="forecasts", profile=Profile()):  # noqa: B008 - a profile is immutable
    sheet = read_sheet("a sheet", body, profile, kind)
    assert isinstance(sheet, Sheet)
    assert (sheet.document is None) == bool(sheet.problems)
    assert all(problem.code in PROBLEM_CODES and problem.reason.isprintable() for problem in sheet.problems)
    if sheet.problems:
        assert mark_problems("a sheet", body, sheet.problems, profile, kind)
    return sheet


def codes(body):
    return [problem.code for problem in read(body).problems]


@slow
@given(st.sampled_from([WORKBOOK, CSV]), st.data(), st.sampled_from(KINDS))
def test_a_byte_that_is_flipped_raises_nothing(body, data, kind):
    at, bit = data.draw(st.integers(0, len(body) - 1)), data.draw(st.integers(0, 7))

    read(body[:at] + bytes([body[at] ^ 1 << bit]) + body[at + 1 :], kind)


@slow
@given(st.sampled_from([WORKBOOK, CSV]), st.data(), st.sampled_from(KINDS))
def test_a_file_that_is_cut_raises_nothing(body, data, kind):
    read(body[: data.draw(st.integers(0, len(body)))], kind)


@slow
@given(st.binary(max_size=300), st.sampled_from(KINDS))
@example(b"PK\x03\x04", "stock")
@example(b"\xff\xfe\x00", "stock")
@example(b'"', "stock")
def test_any_bytes_raise_nothing(body, kind):
    read(body, kind)


CELL = st.one_of(
    st.text(max_size=12), st.integers(), st.floats(), st.booleans(), st.sampled_from(["Total", "2026-07-06"])
)


@slow
@given(st.lists(st.lists(CELL, max_size=6), max_size=5), st.sampled_from(KINDS))
def test_any_cells_below_a_header_raise_nothing(rows, kind):
    header = ["product", "site", "supplier", "due", "wafers", "firmness"]
    text = "\n".join("\t".join(str(cell).replace("\t", " ") for cell in row) for row in [header, *rows])

    read(text.encode("utf-8", "replace"), kind)


@slow
@given(st.data())
def test_a_part_of_a_workbook_that_is_damaged_raises_nothing(data):
    packed, damaged = ZipFile(BytesIO(WORKBOOK)), BytesIO()
    name = data.draw(st.sampled_from(packed.namelist()))
    text = packed.read(name)
    at = data.draw(st.integers(0, len(text) - 1))
    text = text[:at] + data.draw(st.binary(max_size=4)) + text[at + data.draw(st.integers(0, 9)) :]
    with ZipFile(damaged, "w") as archive:
        for each in packed.namelist():
            archive.writestr(each, text if each == name else packed.read(each))

    read(damaged.getvalue())


# ---------------------------------------------------------------- bombs


def test_a_file_beyond_the_limit_is_refused():
    assert codes(b"x" * (BYTES_MAX + 1)) == ["too_large"]


def test_too_many_cells_are_refused():
    assert codes(b"a," * (CELLS_MAX + 1)) == ["too_large"]
    assert codes(workbook({"Plan": f"<worksheet>{'<c/>' * 4 * CELLS_MAX}</worksheet>"})) == ["too_large"]


def test_a_workbook_that_unpacks_to_too_much_is_refused():
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/picture.png", bytes(UNPACKED_MAX + 1))

    assert len(packed.getvalue()) < 100_000
    assert codes(packed.getvalue()) == ["too_large"]


@pytest.mark.parametrize("far", ['<c r="XFD1048576"><v>1</v></c>', '<c r="D1048576"><v>1</v></c>'])
def test_a_far_cell_unrolls_to_no_rows(far):
    more = f'<row r="1048576">{far}</row>'

    assert len(read(one_sheet([["product", "site", "2026-07-06"], ["P", "S", 4]], more=more)).document.lines) == 1


def test_a_merge_of_the_whole_sheet_unrolls_to_no_cells():
    body = one_sheet([["product", "site", "2026-07-06"], ["P", "S", "x"]], merged=["A2:XFD1048576"])

    assert codes(body) == ["bad_number"]


def test_entities_are_refused():
    xml = '<!DOCTYPE a [<!ENTITY b "c">]>' + sheet_xml(ROWS)

    assert codes(workbook({"Plan": xml})) == ["no_such_format"]
    assert codes(workbook({"Plan": xml.encode("utf-16")})) == ["no_such_format"]


def test_entities_in_an_encoding_of_another_alphabet_are_refused():
    """The check for entities reads bytes: no part may be in an encoding in which they look otherwise."""
    xml = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>' + sheet_xml(ROWS).replace(">P<", ">&b;<")
    part = b'<?xml version="1.0" encoding="cp037"?>' + xml.encode("cp037")

    assert codes(workbook({"Plan": part})) == ["no_such_format"]


def replaced(body, old, new):
    """Return a workbook with a text replaced in the names and the contents of all its parts."""
    packed = BytesIO()
    with ZipFile(BytesIO(body)) as before, ZipFile(packed, "w", ZIP_DEFLATED) as after:
        for name in before.namelist():
            after.writestr(name.replace(old, new), before.read(name).replace(old.encode(), new.encode()))
    return packed.getvalue()


def test_a_part_is_checked_whatever_its_name():
    entities = workbook({"Plan": '<!DOCTYPE a [<!ENTITY b "c">]>' + sheet_xml(ROWS)})
    cells = workbook({"Plan": f"<worksheet>{'<c/>' * 4 * CELLS_MAX}</worksheet>"})

    assert codes(replaced(WORKBOOK, "sheet1.xml", "sheet1.png")) == codes(WORKBOOK)
    assert codes(replaced(entities, "sheet1.xml", "sheet1.png")) == ["no_such_format"]
    assert codes(replaced(cells, "sheet1.xml", "sheet1.png")) == ["too_large"]


def test_a_workbook_of_the_strict_form_is_refused_with_the_way_to_mend_it():
    body = replaced(WORKBOOK, NAMESPACE, "http://purl.oclc.org/ooxml/spreadsheetml/main")

    [problem] = read(replaced(body, RELATIONS, "http://purl.oclc.org/ooxml/officeDocument/relationships")).problems
    assert problem.code == "no_such_format"
    assert "save it anew as .xlsx" in problem.reason


def test_a_workbook_that_says_to_unpack_to_less_than_it_does_is_refused():
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b" " * (UNPACKED_MAX + 1))
    stated = (UNPACKED_MAX + 1).to_bytes(4, "little")

    assert codes(packed.getvalue().replace(stated, (99).to_bytes(4, "little"))) == ["no_such_format"]


def test_an_old_or_locked_workbook_is_refused():
    assert codes(b"\xd0\xcf\x11\xe0" + bytes(100)) == ["no_such_format"]


def test_a_sheet_of_problems_names_a_thousand():
    sheet = read(b"product,site,due,wafers\n" + b"P,S,x,y\n" * 2_000)

    assert len(sheet.problems) == PROBLEMS_MAX
    assert sheet.notes[-1].text.startswith("3,000 more")


@pytest.mark.parametrize("text", ["a\0b", "P,S,\0,4"])
def test_a_nul_character_is_a_problem(text):
    assert codes(f"product,site,due,wafers\n{text}\n".encode()) == ["bad_text"]


def test_a_quotation_that_does_not_end_is_a_problem():
    assert codes(b'product,site,due,wafers\nP,"S,2026-07-06,4\n') == ["ends_early"]
