"""Where the Chromium is that the page is tried in."""

import os
import shutil


def find_chromium() -> str:
    """Return the browser of this machine, or raise with what to install."""
    names = [os.environ.get("WAFERLINE_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    for name in filter(None, names):
        found = shutil.which(name)
        if found:
            return found
    raise RuntimeError("there is no Chromium: apt-get install chromium, or name one in WAFERLINE_CHROMIUM")
