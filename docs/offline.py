"""MkDocs hook: the pages load nothing from another host, even if opened from the disk."""

import logging
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

log = logging.getLogger("mkdocs.hooks.offline")  # MkDocs counts warnings of loggers below its own name

_THEIRS, _OURS = "https://unpkg.com/iframe-worker/shim", "worker.js"
_LOADED = re.compile(
    r"<(?:script|link|img|iframe|source|object|embed)\b[^>]*?\b(?:src|href|data)=[\"']?(?:https?:)?//[^>]*>"
)
_IMPORTED = re.compile(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^;)]*")


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:  # noqa: ARG001
    """Return a page whose search from the disk starts with our script instead of one from the network."""
    return output.replace(_THEIRS, get_relative_url(_OURS, page.url))


def on_post_template(output: str, template_name: str, config: MkDocsConfig) -> str:  # noqa: ARG001
    """Do the same for the 404 page."""
    return output.replace(_THEIRS, f"/{_OURS}")


def on_post_build(config: MkDocsConfig) -> None:
    """Warn of each page and style that would load something from another host."""
    for path in sorted(Path(config.site_dir).rglob("*")):
        pattern = {".html": _LOADED, ".css": _IMPORTED}.get(path.suffix)
        for found in pattern.findall(path.read_text(encoding="utf-8")) if pattern else ():
            log.warning("%s loads from elsewhere: %s", path.name, found)
