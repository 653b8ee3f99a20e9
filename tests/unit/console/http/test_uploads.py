"""A form with a file comes out as a browser sent it, whatever bytes the file has."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.http.importing import ImportedSheet, targets
from services.console.http.uploads import FormField, UnreadableForm, read_form


def sent(files: dict[str, tuple[str | None, bytes]]) -> tuple[str, bytes]:
    """Return the content type and the body of a form, as an independent sender writes it."""
    request = httpx.Request("POST", "http://console/import", files=files)
    return request.headers["content-type"], request.read()


@given(st.binary(), st.binary(max_size=40).map(lambda text: b"\r\n--" + text))
def test_every_byte_of_a_file_comes_back(body, like_a_boundary):
    form = read_form(*sent({"step": (None, b"preview"), "sheet": ("plan.xlsx", body + like_a_boundary)}))

    assert form["sheet"] == FormField(body + like_a_boundary, "plan.xlsx")
    assert (form["step"].text, form["step"].filename) == ("preview", "")


@given(st.binary())
def test_whatever_else_comes_is_refused(body):
    for content_type in ("", "text/csv", "multipart/form-data", "multipart/form-data; boundary=x"):
        with pytest.raises(UnreadableForm):
            read_form(content_type, body.replace(b"--x", b""))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"step": b"delete"}, "names no facts"),
        ({"target": b"supplier-samsung/lots"}, "names no facts"),
        ({"sheet": b""}, "no file was chosen"),
        ({"kept": b"no base64!"}, "did not come back whole"),
    ],
)
def test_a_form_that_the_page_does_not_send_is_refused(changes, why):
    form = {"step": b"preview", "target": b"supplier-samsung/commits", "sheet": b"line\n"} | changes

    with pytest.raises(UnreadableForm, match=why):
        ImportedSheet.of({name: FormField(value) for name, value in form.items()})


@given(st.binary(min_size=1), st.binary())
def test_the_preview_sends_the_same_sheet_again(body, profile):
    form = {
        "step": FormField(b"preview"), "target": FormField(b"supplier-samsung/commits"),
        "sheet": FormField(body, "plan.xlsx"), "profile_file": FormField(profile, "p.yaml"),
    }  # fmt: skip
    first = ImportedSheet.of(form)
    again = ImportedSheet.of(
        {name: FormField(value.encode()) for name, value in first.kept().items()} | {"step": FormField(b"preview")}
    )

    assert again == first


def test_each_source_states_the_facts_of_its_role():
    urls = {"ledger": "l", "supplier-acme": "s", "datacenter-north": "d", "planner-us": "p"}

    assert {source: [words for _, words in kinds] for source, kinds in targets(urls).items()} == {
        "acme": ["commits of acme"],
        "north": [f"{kind} of north" for kind in ("forecasts", "orders", "receipts", "stock", "sites")],
        "us": ["products of us"],
    }
