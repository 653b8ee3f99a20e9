"""Where an image has its compiled kernels: numba's own places for them must be writable, and nothing in an image is.

NUMBA_CACHE_LOCATOR_CLASSES names this class, and NUMBA_CACHE_DIR the folder; elsewhere neither is set.
"""

from numba.core.caching import UserProvidedCacheLocator


class Compiled(UserProvidedCacheLocator):
    """The folder that numba is told of, as it is. A kernel that is not there ends the start: it should be."""

    def ensure_cache_path(self) -> None:
        """Leave out numba's trial file."""
