"""Commands on a programme: its file, its declarations on a stack, and the files of its deployment."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from services.operator.commands.errors import report_errors
from services.operator.commands.options import DATA, Csv, Data, Json, Xlsx
from services.operator.stack.errors import StackError

_DECLARED_WITHIN_S = 30.0
_NAMED_MAX = 10
_WHOLE = {
    "gb_per_die", "die_mm2", "layers", "rack_kw", "accelerators", "wafers_per_month", "days_early", "days_late",
    "percent_short",
}  # fmt: skip
_GROUP_OF = {"product": "products", "platform": "platforms", "party": "companies"}  # of entries, by kind
_GROUPS = ("memory_gb", "server_memory_gb")  # of whole numbers by product


def declare(
    kind: Annotated[
        Literal["product", "platform", "programme", "party"] | None,
        typer.Argument(help="The kind of the thing to declare."),
    ] = None,
    name: Annotated[str | None, typer.Argument(help="Its name.")] = None,
    fields: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FIELD=VALUE", help="Its fields, as a programme file names them; all others stay as they are."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="Declare the products, platforms, programme and companies of this file."),
    ] = None,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="End the declaration of this thing.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the changes.")] = False,
    source: Annotated[str | None, typer.Option(help="The planner that declares; default: the only one.")] = None,
    data: Data = DATA,
    json_: Json = False,
    csv_: Csv = False,
    xlsx: Xlsx = None,
) -> None:
    """Declare a product, a platform, a party or the programme on a running stack, or all of a programme file.

    Only differences to the declarations in force are declared: to declare the same again does nothing. Without
    arguments it lists the declarations in force. It exits with 1 if the ledger refuses one.

    Example: waferline declare product PLAIN-DRAM family=DRAM --dry-run

    Example: waferline declare --file my-programme/programme.yaml --dry-run
    """
    from services.operator.commands.output import expect_output, put_out
    from services.operator.show.table import table
    from services.operator.stack.location import find_stack
    from services.operator.stack.programmes import read_programme_file

    with report_errors():
        expect_output(json_=json_, csv_=csv_, xlsx=xlsx)
        if file is not None and (kind is not None or withdrawn):
            raise StackError("--file declares all of a file: name no thing, field or --withdrawn beside it")
        if file is not None:
            entries = read_programme_file(file).entries()
            body: dict[str, Any] = entries.model_dump(mode="json", exclude_defaults=True)
        elif kind is not None:
            body = _entry(kind, name, fields or [], withdrawn=withdrawn)
        else:
            _list(source, find_stack(data), json_=json_, csv_=csv_, xlsx=xlsx)
            return
        data = find_stack(data, writes=True)
        params = {"dry_run": "true"} if dry_run else {}
        params |= {"merge": "true"} if file is None else {}
        rows = _ask(source, data, params, body)
        beside = [] if file is None else _missing(body, _ask(source, data))
    columns = ("kind", "name", "change", "fields", "revision", "status", "code", "message")
    cells = [[", ".join(row["fields"]) if c == "fields" else row.get(c) for c in columns] for row in rows]
    title = f"Changes: {len(rows)}" + (", none of them declared (a dry run)" if dry_run else "")
    title = title if rows else "Nothing to declare: all of it is in force"
    left = f" and {len(beside) - _NAMED_MAX:,} more" if len(beside) > _NAMED_MAX else ""
    caption = f"in force and not in {file}: {', '.join(beside[:_NAMED_MAX])}{left}; `withdrawn: true` ends one"
    shown = table(f"{title}, in the stack in {data}", columns, cells, caption=caption if beside else "")
    named = [dict(zip(columns, row, strict=True)) for row in cells]
    put_out(rows, named, [shown], json_=json_, csv_=csv_, xlsx=xlsx)
    if any(row["status"] == "refused" for row in rows):
        raise typer.Exit(1)


def _entry(kind: str, name: str | None, fields: list[str], *, withdrawn: bool) -> dict[str, Any]:
    """Return the body that declares one thing."""
    if name is None:
        raise StackError(f"name the {kind}: waferline declare {kind} NAME FIELD=VALUE ...")
    entry: dict[str, Any] = {"withdrawn": True} if withdrawn else {}
    for field in fields:
        path, equals, value = field.partition("=")
        if not equals:
            raise StackError(f"{field!r} is no FIELD=VALUE")
        *groups, last = path.split(".", 1) if path.partition(".")[0] in (*_GROUPS, "facility") else path.split(".")
        if groups == ["facility"] and last.startswith("server_memory_gb."):
            groups, last = ["facility", "server_memory_gb"], last.partition(".")[2]
        inner = entry
        for group in groups:
            inner = inner.setdefault(group, {})
        is_whole = last in _WHOLE or (groups and groups[-1] in _GROUPS)
        inner[last] = int(value) if is_whole and value.isdecimal() else value
    if kind == "programme":
        if withdrawn:
            raise StackError("the programme cannot be withdrawn: declare another one")
        return {"programme": {"name": name} | entry}
    return {_GROUP_OF[kind]: {name: entry}}


def _list(source: str | None, data: Path, *, json_: bool, csv_: bool, xlsx: Path | None) -> None:
    """Print the declarations in force."""
    from services.operator.commands.output import put_out
    from services.operator.show.table import table

    in_force = _ask(source, data)
    rows = [
        (kind, name, _summary(fields)) for kind, group in _GROUP_OF.items() for name, fields in in_force[group].items()
    ]
    programme = in_force["programme"]
    if programme is not None:
        rows.insert(0, ("programme", programme["name"], _summary({k: v for k, v in programme.items() if k != "name"})))
    columns = ("kind", "name", "fields")
    shown = table(
        f"{'The declarations in force' if rows else 'Nothing is declared'} in the stack in {data}", columns, rows
    )
    named = [dict(zip(columns, row, strict=True)) for row in rows]
    put_out(in_force, named, [shown], json_=json_, csv_=csv_, xlsx=xlsx)


def _missing(entries: dict[str, Any], in_force: dict[str, Any]) -> list[str]:
    """Return the things in force that some entries do not name."""
    return [
        f"{kind} {name}"
        for kind, group in _GROUP_OF.items()
        for name in in_force[group]
        if name not in entries.get(group, {})
    ]


def _summary(fields: dict[str, Any], prefix: str = "") -> str:
    parts = [
        _summary(value, f"{prefix}{name}.") if isinstance(value, dict) else f"{prefix}{name}={_value(value)}"
        for name, value in fields.items()
    ]
    return ", ".join(part for part in parts if part)


def _value(value: Any) -> Any:
    return ", ".join(f"{each['role']} of {each['name']}" for each in value) if isinstance(value, list) else value


def _ask(source: str | None, data: Path, params: dict[str, str] | None = None, body: Any = None) -> Any:
    """Return a planner's answer to entries, or, without a body, the declarations in force."""
    import httpx
    import orjson

    from services.operator.stack.calls import call
    from services.operator.stack.location import running_stack, service_url

    facts = running_stack(data)
    planners = {each.partition("-")[2]: each for each in facts["services"] if each.startswith("planner-")}
    if source is None and len(planners) == 1:
        [source] = planners
    if source not in planners:
        raise StackError(f"name the planner with --source; there are {', '.join(planners) or 'none'}")
    url = service_url(facts, planners[source]) + "/declarations"
    content = None if body is None else orjson.dumps(body)
    try:
        response = call(
            url, method="GET" if body is None else "POST", params=params, content=content, within_s=_DECLARED_WITHIN_S
        )
    except httpx.TransportError as failure:
        raise StackError(f"{planners[source]} does not answer ({failure})") from failure
    if response.status_code >= httpx.codes.BAD_REQUEST:
        raise StackError(response.json()["detail"])
    return response.json()


def init(
    folder: Annotated[Path, typer.Argument(help="Folder for the programme; made if it is missing.")],
    from_: Annotated[
        str | None, typer.Option("--from", help="Copy this programme: the name of one that comes along, or a file.")
    ] = None,
    json_: Json = False,
) -> None:
    """Write a commented programme file into a folder, to be filled in; or a copy of another programme.

    It replaces nothing.

    Example: waferline init my-programme --from stargate
    """
    from services.operator.commands.output import command_name
    from services.operator.deployment.template import TEMPLATE
    from services.operator.show.printing import print_json
    from services.operator.stack.new_file import new_file
    from services.operator.stack.programmes import find_programme, read_programme_file

    with report_errors():
        text = TEMPLATE
        if from_ is not None:
            original = find_programme(from_)
            read_programme_file(original)
            text = original.read_text(encoding="utf-8")
        path = folder / "programme.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        with new_file(path) as part:
            part.write_text(text, encoding="utf-8")
        programme = read_programme_file(path)
    if json_:
        print_json({"file": str(path), "name": programme.name})
        return
    typer.echo(f"wrote {path}: change it, then try")
    typer.echo(f"  {command_name()} up --programme {path} --data {folder / 'data'}")


def deployment(
    programme: Annotated[Path, typer.Argument(help="The programme file.")],
    to: Annotated[Path, typer.Option("--to", help="Folder of the files; made if it is missing.")],
    at: Annotated[
        str | None, typer.Option(help="That folder as docker-compose.yml sees it; default: the folder itself.")
    ] = None,
    notifier: Annotated[
        bool, typer.Option("--notifier", help="A notifier runs, too: ask it for its health and metrics.")
    ] = False,
    json_: Json = False,
) -> None:
    """Write the files of a deployment that follow from its programme: containers, addresses and scrape targets.

    `docker compose` merges compose.yml, and tls.yml, with the files of the same kind of this project. A party that was
    there before keeps its port. `waferline secrets --programme` makes the users, tokens and certificates.

    Example: waferline deployment scenarios/stargate.yaml --to deploy/programmes/stargate
    """
    from services.operator.deployment.generation import write_deployment
    from services.operator.show.printing import print_json
    from services.operator.stack.programmes import read_programme_file

    with report_errors():
        checked = read_programme_file(programme)
        place = at or (str(to) if to.is_absolute() else f"./{to}")
        written = write_deployment(checked, programme.read_text(encoding="utf-8"), to, place, notifier=notifier)
    if json_:
        print_json([str(path) for path in written])
        return
    for path in written:
        typer.echo(f"wrote {path}")
    if not written:
        typer.echo(f"{to} is as {programme} has it")
