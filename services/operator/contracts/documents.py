"""All contract documents by their place in the project, and the functions that write them."""

from collections.abc import Mapping
from pathlib import Path

from services.operator.contracts.alerts_page import alerts_page
from services.operator.contracts.asyncapi import asyncapi
from services.operator.contracts.events_page import events_page
from services.operator.contracts.layouts_table import proof_page
from services.operator.contracts.markdown import pretty_json
from services.operator.contracts.schemas import json_schemas

CONTRACTS = Path("contracts")
EVENTS_PAGE, ALERTS_PAGE, PROOF_PAGE = Path("docs/events.md"), Path("docs/alerts.md"), Path("docs/proof.md")


def contract_files() -> dict[Path, str]:
    """Return the text of every document that is wholly generated, by its place in the project."""
    documents = {f"{name}.json": schema for name, schema in json_schemas().items()} | {"asyncapi.json": asyncapi()}
    files = {CONTRACTS / name: pretty_json(document) for name, document in documents.items()}
    return files | {EVENTS_PAGE: events_page(), ALERTS_PAGE: alerts_page()}


def write_contracts(directory: Path) -> list[Path]:
    """Write every document below the project's directory, and return the files that changed."""
    texts = contract_files()
    if (directory / PROOF_PAGE).exists():
        texts[PROOF_PAGE] = proof_page((directory / PROOF_PAGE).read_text(encoding="utf-8"))
    return write_texts(directory, texts)


def write_texts(directory: Path, texts: Mapping[Path, str]) -> list[Path]:
    """Write each text at its place below a directory, and return the files that changed."""
    changed = []
    for place, text in texts.items():
        file = directory / place
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            changed.append(file)
    return changed
