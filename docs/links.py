"""MkDocs hook: adds the pages beside README.md, and a page for each project file that a page links to.

MkDocs itself knows only docs/. With this hook the same link works in a checkout and on the site, and the build checks
it: a missing target or an impossible address fails the build (`mkdocs build --strict`).
"""

import logging
import re
from os.path import relpath
from pathlib import Path
from urllib.parse import urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

log = logging.getLogger("mkdocs.hooks.links")  # MkDocs counts warnings of loggers below its own name

DOCS = Path(__file__).parent
ROOT = DOCS.parent
BESIDE = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
_LINK = re.compile(r"(?<=\]\()[^()\s]+(?=\))")
_ADDRESS = re.compile(r"https://([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}([/?#].*)?")
_LANGUAGES = {".py": "python", ".sh": "bash", ".yml": "yaml", ".yaml": "yaml", ".sql": "sql", ".json": "json"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages beside README.md, and those of the linked project files."""
    for name in BESIDE:
        files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    for page in list(files.documentation_pages()):
        for target in _LINK.findall(page.content_string):
            place = _place(page, target)
            uri = _uri(place) if place else None
            if uri and uri not in files.src_uris and uri.startswith("project/"):
                files.append(File.generated(config, uri, content=_page_of(place)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Return a page with its links rewritten to their targets on the site."""
    if page.file.generated_by is not None:
        return markdown
    return _LINK.sub(lambda link: _on_site(page.file, link[0]), markdown)


def _on_site(page: File, target: str) -> str:
    place = _place(page, target)
    uri = _uri(place) if place else None
    if uri is None:
        _expect_address(page, target)
        return target  # an address, an anchor of the page itself, or a missing target, which MkDocs reports
    anchor = urlsplit(target).fragment
    return relpath(uri, Path(page.src_uri).parent) + (f"#{anchor}" if anchor else "")


def _place(page: File, target: str) -> Path | None:
    """Return the project file that a link names, existing or not; None if it names no file."""
    url = urlsplit(target)
    if url.scheme or url.netloc or not url.path or page.abs_src_path is None:
        return None
    return (Path(page.abs_src_path).parent / url.path).resolve()


def _uri(place: Path) -> str | None:
    """Return the place of a project file on the site; None if it is missing or outside the project."""
    if not place.exists() or not place.is_relative_to(ROOT):
        return None
    if place.is_relative_to(DOCS):
        return place.relative_to(DOCS).as_posix()
    name = place.relative_to(ROOT).as_posix()
    return name if name in BESIDE else f"project/{name}.md"


def _page_of(place: Path) -> str:
    """Return the page of a project file or folder, excluded from the search."""
    if place.is_dir():
        text, language = "\n".join(sorted(each.name for each in place.iterdir() if each.is_file())), "text"
    else:
        text, language = place.read_text(encoding="utf-8"), _LANGUAGES.get(place.suffix, "text")
    name = place.relative_to(ROOT).as_posix()
    return f"---\nsearch: {{exclude: true}}\nhide: [toc]\n---\n\n# {name}\n\n`````{language}\n{text}\n`````\n"


def _expect_address(page: File, target: str) -> None:
    """Warn of an impossible external address; without a network the build cannot check that it answers."""
    if urlsplit(target).scheme and not _ADDRESS.fullmatch(target):
        log.warning("%s links to %s, which is no https:// address", page.src_uri, target)
