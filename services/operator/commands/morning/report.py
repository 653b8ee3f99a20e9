"""The command on the report: the status on one page, as HTML and PDF."""

from pathlib import Path
from typing import Annotated

import typer

from services.operator.commands.errors import report_errors
from services.operator.commands.options import DATA, AsOf, Data, Json


def report(
    to: Annotated[Path, typer.Option(help="The new files, without their endings: NAME.html and NAME.pdf.")] = Path(
        "waferline-report"
    ),
    as_of: AsOf = None,
    data: Data = DATA,
    json_: Json = False,
) -> None:
    """Write a one-page status as HTML and PDF: the coverage, the worklist, the bridge of its first item, three charts.

    It overwrites no file. Both files state their position in the log: as --as-of it writes the same page again.

    Example: waferline report --to status-2026-08-31 --as-of 2026-08-31
    """
    from services.operator.ask.status import ask_status
    from services.operator.show.printing import print_json
    from services.operator.stack.errors import StackError
    from services.operator.stack.location import find_stack
    from services.operator.stack.new_file import expect_absent, new_file

    with report_errors():
        try:
            from services.operator.commands.morning.status_page import status_html, status_pdf
        except ModuleNotFoundError as missing:
            raise StackError(f"{missing.name} is not installed here: charts need it (waferline[operator])") from missing
        data = find_stack(data)
        files = {each: to.with_name(to.name + each) for each in (".html", ".pdf")}
        for file in files.values():
            expect_absent(file)
        status = ask_status(data, as_of)
        for file, content in ((files[".html"], status_html(status).encode()), (files[".pdf"], status_pdf(status))):
            with new_file(file) as part:
                part.write_bytes(content)
    if json_:
        print_json(status)
        return
    typer.echo("wrote " + " and ".join(map(str, files.values())))
