"""The `store` section: where clusters keep what steps and trials share."""

import re
from typing import Annotated, Self

from pydantic import model_validator

from cellwright.spec.form import HTTP_ADDRESS, IMPORT_PATH, Form
from cellwright.spec.section import DeployedSection

BUILT_IN = r"(s3://[a-z0-9.-]+(/.*[^/])?|/.*[^/])"
"""Addresses of the stores that cellwright has."""


class Store(DeployedSection):
    """What the steps and trials of a cluster share: prepared data, requests, checkpoints and results."""

    uri: Annotated[str, Form(r"^([a-z][a-z0-9+.-]*://.+|/.*[^/])$", "s3://BUCKET/PREFIX or an absolute path")]
    """`s3://BUCKET/PREFIX`, an absolute path on a volume that all mount, or what a `kind` of your own opens."""
    kind: Annotated[str, IMPORT_PATH] | None = None
    """Import path of your own subclass of `cellwright.stores.Store`; the URI decides by default."""
    endpoint: Annotated[str, HTTP_ADDRESS] | None = None
    """S3 endpoint as pods see it; Amazon's by default. AWS_ENDPOINT_URL overrides it for this process."""
    secret: str | None = None
    """Kubernetes Secret with `secret_keys`; by default the pods' identity."""
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
