"""The `store` section: storage for the files that steps and trials on a cluster share."""

import re
from typing import Annotated, Self

from pydantic import model_validator

from cellwright.spec.form import HTTP_ADDRESS, IMPORT_PATH, Form
from cellwright.spec.section import DeployedSection

BUILT_IN = r"(s3://[a-z0-9.-]+(/.*[^/])?|/.*[^/])"
"""Addresses of the built-in stores."""


class StoreSection(DeployedSection):
    """Storage that steps and trials on a cluster share, for prepared data, requests, checkpoints and results."""

    uri: Annotated[str, Form(r"^([a-z][a-z0-9+.-]*://.+|/.*[^/])$", "s3://BUCKET/PREFIX or an absolute path")]
    """`s3://BUCKET/PREFIX`, an absolute path on a volume that all pods mount, or a URI for your own `kind`."""
    kind: Annotated[str, IMPORT_PATH] | None = None
    """Import path of your own subclass of `cellwright.stores.Store`; by default, the URI selects the class."""
    endpoint: Annotated[str, HTTP_ADDRESS] | None = None
    """S3 endpoint as seen by pods; Amazon's by default. AWS_ENDPOINT_URL overrides it for this process."""
    secret: str | None = None
    """Kubernetes Secret with `secret_keys`; by default, pods use their own identity."""
    secret_keys: tuple[str, ...] = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    """Keys of the Secret, which become environment variables."""
    claim: str | None = None
    """PersistentVolumeClaim that pods mount at the path."""

    @model_validator(mode="after")
    def _can_be_opened(self) -> Self:
        if self.kind is None and not re.fullmatch(BUILT_IN, self.uri):
            raise ValueError(f"uri must be s3://BUCKET/PREFIX or an absolute path, got {self.uri}")
        if self.uri.startswith("/") != (self.claim is not None):
            raise ValueError(
                f"claim is required for a path, and allowed for nothing else, got {self.claim} and {self.uri}"
            )
        return self

    @property
    def code(self) -> tuple[str, ...]:
        """Return the import paths of its code and of the user's own kind."""
        return super().code + ((self.kind,) if self.kind else ())
