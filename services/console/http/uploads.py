"""Forms with files, as a browser sends them: multipart/form-data of RFC 7578, in memory."""

import re
from typing import NamedTuple

_boundary = re.compile(r'multipart/form-data\s*;.*?boundary="?([^";,\s]{1,70})"?', re.IGNORECASE).match
_name = re.compile(rb'(?i)^content-disposition:[^\r\n]*?[;\s]name="([^"\r\n]*)"', re.MULTILINE)
_file = re.compile(rb'(?i)^content-disposition:[^\r\n]*?[;\s]filename="([^"\r\n]*)"', re.MULTILINE)
_FIELDS_MAX = 20


class UnreadableForm(Exception):
    """A request carries no form that can be read."""


class FormField(NamedTuple):
    """The value of a field, and the name of the file, empty where it is none."""

    value: bytes
    filename: str = ""

    @property
    def text(self) -> str:
        """The value as text."""
        return self.value.decode(errors="replace").strip()


def read_form(content_type: str, body: bytes) -> dict[str, FormField]:
    """Return the fields of a form by name; raise `UnreadableForm` where the body is none."""
    found = _boundary(content_type)
    if found is None:
        raise UnreadableForm("the request carries no form: choose the file on the page, and send it again")
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + found[1].encode("latin-1"))
    if len(parts) < 1 or not parts[-1].startswith(b"--") or len(parts) > _FIELDS_MAX:
        raise UnreadableForm("the form did not arrive whole: send it again")
    fields = {}
    for part in parts[:-1]:
        head, separator, value = part.partition(b"\r\n\r\n")
        name = _name.search(head)
        if not separator or name is None:
            raise UnreadableForm("a field of the form has no name: send it again from the page")
        filename = _file.search(head)
        fields[name[1].decode(errors="replace")] = FormField(
            value, "" if filename is None else filename[1].decode(errors="replace")
        )
    return fields
