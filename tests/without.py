"""Scripts that run as where a package is not installed."""


def without(*packages: str) -> str:
    """Return the first lines of a script in which the packages cannot be imported."""
    return f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0].startswith({packages!r}):
            raise ImportError(name)
sys.meta_path.insert(0, Blocker())
"""
