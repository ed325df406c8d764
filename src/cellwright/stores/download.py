"""Downloads one object to a file, resuming after interruptions, and checks the complete file."""

import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cellwright.errors import CellwrightError
from cellwright.retrying import Retry
from cellwright.stores.integrity import is_right
from cellwright.stores.retrying import is_transient, status_of

CHUNK = 1 << 16
"""Bytes that an interrupted connection can lose at most."""


class Changed(CellwrightError):
    """The object was replaced since it was listed."""


class GivenUp(CellwrightError):
    """The download was cancelled."""


class Download:
    """The download of one object, appended to a partial file.

    Args:
        client: a boto3 client.
        bucket: the object's bucket.
        key: the object's key.
        part: the partial file; its content is the start of the object.
        size: size of the object in bytes, if known.
        etag: ETag of the object, if known; an object with another ETag is rejected.
        advance: receives the number of bytes that were added, negative if they were discarded.
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        key: str,
        part: Path,
        *,
        size: int | None = None,
        etag: str | None = None,
        advance: Callable[[int], None] = lambda added: None,
    ) -> None:
        self.uri = f"s3://{bucket}/{key}"
        self._client = client
        self._target = {"Bucket": bucket, "Key": key}
        self._part = part
        self._size = size
        self._etag = etag
        self._advance = advance
        self._facts: dict[str, Any] | None = None

    def run(self, retry: Retry) -> None:
        """Complete the file and check it.

        Raises:
            Changed: the key has another object now.
            CellwrightError: the bytes were wrong twice.
        """
        self._complete(retry)
        if retry(self._is_right):
            return
        self._forget()
        self._complete(retry)
        if not retry(self._is_right):
            raise CellwrightError(
                f"{self.uri} must have the bytes that its ETag {self._etag} or checksum says, got others twice"
            )

    def _complete(self, retry: Retry) -> None:
        self._part.touch()
        while self._size is None or self._held < self._size:
            if retry.ended.is_set():
                raise GivenUp(f"{self.uri}: given up")
            try:
                retry(lambda: self._append(retry.ended))
            except Exception as error:
                if self._held and is_transient(error):
                    whole = "an unknown number" if self._size is None else self._size
                    raise CellwrightError(
                        f"{self.uri}: got {self._held} of {whole} bytes, and then: {error}"
                    ) from error
                if isinstance(error, ClientError) and status_of(error) == 412:
                    raise self._changed() from error
                raise

    @property
    def _held(self) -> int:
        return self._part.stat().st_size

    def _append(self, ended: threading.Event) -> None:
        """Request the missing bytes and append the response, even if it is cut off."""
        held = self._held
        begin = {"Range": f"bytes={held}-"} if held else {}
        same = {"IfMatch": self._etag} if self._etag else {}
        answer = self._client.get_object(**self._target, **begin, **same)
        if held and "ContentRange" not in answer:  # the server does not support ranges
            self._forget()
            held = 0
        size = held + answer["ContentLength"]
        if answer["ETag"] != (self._etag or answer["ETag"]) or size != (self._size or size):
            raise self._changed()
        self._facts, self._etag, self._size = answer, answer["ETag"], size
        try:
            with self._part.open("ab") as file:
                for chunk in answer["Body"].iter_chunks(CHUNK):
                    file.write(chunk)
                    self._advance(len(chunk))
                    if ended.is_set():
                        return
        except Exception as error:
            if not is_transient(error) or self._held == held:
                raise
        finally:
            answer["Body"].close()

    def _forget(self) -> None:
        self._advance(-self._held)
        self._part.write_bytes(b"")

    def _changed(self) -> Changed:
        return Changed(f"{self.uri} must stay as it is while it is read, and has changed: begin again")

    def _is_right(self) -> bool:
        assert self._etag is not None
        facts = self._facts or self._ask(IfMatch=self._etag)
        return is_right(self._part, self._etag, is_encrypted(facts), partial(self._ask, IfMatch=self._etag))

    def _ask(self, **details: Any) -> Any:
        return self._client.head_object(**self._target, **details)


def is_encrypted(facts: Mapping[str, Any]) -> bool:
    """Return whether the ETag is that of the encrypted bytes, not of the bytes that a reader gets."""
    return "SSECustomerAlgorithm" in facts or facts.get("ServerSideEncryption", "").startswith("aws:kms")
