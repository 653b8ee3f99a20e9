"""Does any text of a partner end a line where its document has none?"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
# U+2028 and its like end no line of JSON: what is split here is bytes, or a text that no partner wrote
OURS = {
    "services/aggregator/live/catch_up.py": "bytes",
    "services/ledger/http/rehearsal.py": "bytes",
    "services/operator/ask/publishing.py": "bytes",
    "services/operator/contracts/markdown.py": "a document of ours",
    "services/operator/docs/api_examples.py": "bytes",
    "services/operator/logs/display.py": "the trace of a line, to be shown",
    "services/operator/deployment/deployment_secrets.py": "a file of our own tokens",
    "services/operator/stack/stack.py": "bytes",
    "shared/party/intake.py": "bytes",
}


def splitting() -> Iterator[str]:
    """Yield the path of each module that splits lines as Python sees them."""
    for path in sorted([*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")]):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == "splitlines":
                yield str(path.relative_to(ROOT))


def test_a_text_of_a_partner_is_split_at_line_feeds_only() -> None:
    assert set(splitting()) == OURS.keys()
