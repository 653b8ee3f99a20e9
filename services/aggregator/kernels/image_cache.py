"""The folder of an image's compiled kernels: numba's own places for them must be writable, and nothing in an image is.

NUMBA_CACHE_LOCATOR_CLASSES names this class, and NUMBA_CACHE_DIR the folder; elsewhere neither is set.
"""

from numba.core.caching import UserProvidedCacheLocator


class Compiled(UserProvidedCacheLocator):
    """The folder NUMBA_CACHE_DIR, used as it is. A kernel missing there ends the start: the image must contain it."""

    def ensure_cache_path(self) -> None:
        """Leave out numba's trial file."""
