"""docs/logs.md and the code say the same: every name, its level and its fields."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "logs.md"
LEVELS = {"debug", "info", "warning", "warn", "error", "critical", "exception", "fatal", "log"}
EVERY_LINE = {"timestamp", "level", "service", "log", "source", "lines_lost", "held_ms"}
Lines = dict[tuple[str, str, str], set[str]]  # name, service, level -> fields


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted([*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")]):
        yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def service_of(path: str) -> str:
    root, room = path.split("/")[:2]
    if root == "services":
        return room
    return "party" if room == "party" else "all"


def log_calls(module: ast.Module) -> Iterator[ast.Call]:
    """Yield the calls of a log, without those inside the tally, which passes on its callers' names."""
    inside_tally = {
        id(node) for c in ast.walk(module) if isinstance(c, ast.ClassDef) and c.name == "Tally" for node in ast.walk(c)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            owner = ast.unparse(node.func.value).rpartition(".")[2]
            if owner in {"log", "tally", "logger", "_log"} and id(node) not in inside_tally:
                yield node


def facts(module: ast.Module) -> set[str] | None:
    """Return the names of the facts in every `service_running` of a service."""
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).endswith("service.facts"):
            assert isinstance(node.value, ast.Lambda), "facts are a lambda that returns a dict"
            assert isinstance(node.value.body, ast.Dict)
            return {ast.literal_eval(key) for key in node.value.body.keys if key is not None}
    return None


def lines_of_the_code() -> Lines:
    lines: Lines = defaultdict(set)
    for path, module in sources():
        for call in log_calls(module):
            assert isinstance(call.func, ast.Attribute)
            where = f"{path}:{call.lineno}"
            assert call.func.attr in {"info", "warning", "critical"}, f"{where}: no such level"
            assert len(call.args) == 1, f"{where}: what varies is in the fields"
            assert isinstance(call.args[0], ast.Constant), f"{where}: the name is a constant"
            fields = lines[call.args[0].value, service_of(path), call.func.attr]
            for keyword in call.keywords:
                if keyword.arg is None:
                    assert ast.unparse(keyword.value) == "service.facts()", f"{where}: fields are named at the call"
                else:
                    fields.add("trace" if keyword.arg == "exc_info" else keyword.arg)
        own = facts(module)
        if own is not None:
            lines["service_running", service_of(path), "info"] |= own
    return dict(lines)


def rows(heading: str) -> list[list[str]]:
    part = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in part.splitlines() if line.startswith("|")
    ]
    return cells[2:]


def lines_of_the_page() -> Lines:
    page: Lines = {}
    for name, who, level, fields, means, do in rows("The lines"):
        key = (name.strip("`"), who, level)
        assert key not in page, f"{key} stands twice in {PAGE.name}"
        assert means, f"{key}: what does it mean?"
        assert do, f"{key}: what is there to do?"
        page[key] = set(re.findall(r"`(\w+)`", fields))
    return page


def test_the_page_lists_what_the_code_says_and_nothing_else():
    assert sorted(lines_of_the_page()) == sorted(lines_of_the_code())


def test_the_page_lists_the_fields_of_each_line():
    assert lines_of_the_page() == lines_of_the_code()


def test_every_field_has_its_unit():
    used = set().union(*lines_of_the_code().values()) | EVERY_LINE
    named = [row[0].strip("`") for row in rows("The fields")]

    assert sorted(named) == sorted(used)
    assert all(len(row) >= 2 and row[1] for row in rows("The fields"))


def test_a_name_is_an_object_and_a_past_verb():
    names = {name for name, _, _ in lines_of_the_code()}
    verbs = re.compile(
        r"^[a-z]+(_[a-z]+)*_(\w+ed|running|found|heard|taken|written|told(_already)?|left_out|near_limit|(re)?sent)$"
    )

    assert [name for name in names if not verbs.match(name)] == []


def test_no_field_hides_what_every_line_begins_with():
    for key, fields in lines_of_the_code().items():
        assert not fields & {"timestamp", "level", "service", "log", "lines_lost", "held_ms", "event"}, key


def test_nothing_is_logged_by_another_way():
    for path, module in sources():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and not path.startswith("services/operator/"):
                assert ast.unparse(node.func) != "print", f"{path}:{node.lineno} prints"
                assert not re.match(r"logging\.(debug|info|warning|error|critical)", ast.unparse(node.func)), path
