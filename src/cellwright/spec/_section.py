"""What every section of a spec has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen part of the spec that refuses unknown keys; field docstrings reach the JSON Schema."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @property
    def imports(self) -> tuple[str, ...]:
        """Return the import paths of what users bring along."""
        return ()
