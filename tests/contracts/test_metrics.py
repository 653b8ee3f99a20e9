"""Are the metrics those of the page that says what to do about them?"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/logs.md"
KINDS = {"Counter", "Gauge", "Histogram"}


def metrics_in_code() -> set[tuple[str, str, tuple[str, ...]]]:
    """Name, kind and labels of each metric that the code makes."""
    found = set()
    for file in sorted([*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")]):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                name = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
                if isinstance(name, str):
                    labels = ast.literal_eval(node.args[2]) if len(node.args) > 2 else []
                    found.add((name, node.func.id, tuple(labels)))
    return found


def metrics_on_page() -> set[tuple[str, str, tuple[str, ...]]]:
    """Name, kind and labels of each metric that the page lists."""
    rows = re.findall(r"^\| `(waferline_\w+)` \| \w+ \| (\w+) \| (.*?) ?\|", PAGE.read_text(), flags=re.MULTILINE)
    return {(name, kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_every_metric_is_on_the_page_with_its_labels() -> None:
    assert metrics_in_code() == metrics_on_page() != set()
