"""A store in an S3 bucket."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path
from typing import Self

from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.exceptions import BotoCoreError, ClientError

from cellwright.errors import CellwrightError
from cellwright.files import atomic_path
from cellwright.stores.base import Store
from cellwright.stores.client import connect, list_below, split_uri, translate_errors
from cellwright.stores.download import Changed, Download, is_encrypted
from cellwright.stores.integrity import is_right, num_parts
from cellwright.stores.names import checked
from cellwright.stores.retrying import SECONDS, s3_retry, say_line, status_of

UPLOADING = TransferConfig()
NUM_READS = 5
"""How often to reread an object that changes while it is read."""


class S3Store(Store):
    """Objects below a prefix. S3 shows an object only once it is complete.

    Args:
        uri: `s3://BUCKET/PREFIX`.
        endpoint: a server other than Amazon's; the variable AWS_ENDPOINT_URL overrides it.
        log: receives a message when requests are retried.
        seconds: how long to retry if the server refuses or breaks connections.
    """

    def __init__(
        self,
        uri: str,
        *,
        endpoint: str | None = None,
        log: Callable[[str], None] = say_line,
        seconds: float = SECONDS,
    ) -> None:
        self.bucket, prefix = split_uri(uri)
        self.prefix = f"{prefix}/" if prefix else ""
        with self._translate_errors():
            self.client = connect(endpoint)
        self.retry = s3_retry(self.client.meta.endpoint_url, log=log, seconds=seconds)

    @classmethod
    def open(
        cls, uri: str, *, endpoint: str | None, log: Callable[[str], None], seconds: float | None
    ) -> Self:
        """Open the store at `s3://BUCKET/PREFIX`."""
        return cls(uri, endpoint=endpoint, log=log, seconds=SECONDS if seconds is None else seconds)

    def ensure(self, *, create: bool = True) -> None:
        """Create the bucket if it does not exist. A bucket that this identity may not query is assumed to exist."""
        with self._translate_errors():
            try:
                self.retry(partial(self.client.head_bucket, Bucket=self.bucket))
            except ClientError as error:
                if status_of(error) == 403:
                    return
                if status_of(error) != 404:
                    raise
            else:
                return
            refusal = self._create_bucket() if create else "does not"
        if refusal is not None:
            endpoint = self.client.meta.endpoint_url
            raise CellwrightError(
                f"{self._uri('')}: the bucket {self.bucket} must exist at {endpoint}, and {refusal}: "
                f"`aws s3 mb s3://{self.bucket} --endpoint-url {endpoint}` creates it"
            )

    def _create_bucket(self) -> str | None:
        """Create the bucket; return S3's reason if that is refused, otherwise None."""
        region = self.client.meta.region_name
        options = (
            {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        )
        try:
            self.retry(partial(self.client.create_bucket, Bucket=self.bucket, **options))
        except ClientError as error:
            code = error.response["Error"].get("Code")
            if code != "BucketAlreadyOwnedByYou":  # another process created it first
                return f"these keys may not create it ({code})"
        return None

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the size in bytes of every object below the folder, by its name relative to the folder."""
        with self._translate_errors(folder):
            found = self.retry(partial(list_below, self.client, self.bucket, f"{self._key(folder)}/"))
        return {name: listed["Size"] for name, listed in found.items()}

    def put(self, path: Path, name: str) -> None:
        """Upload a file, replacing any object with that name."""
        size = path.stat().st_size
        with self._translate_errors(name):
            self.retry(lambda: self._upload(path, self._key(name)))
        if size >= UPLOADING.multipart_threshold:
            with suppress(ClientError, BotoCoreError):  # may be denied, and leftovers are harmless
                self._abort_leftovers(self._key(name))

    def get(self, name: str, path: Path) -> None:
        """Download an object to the path."""
        with self._translate_errors(name):
            for left in reversed(range(NUM_READS)):
                with atomic_path(path) as temporary:
                    try:
                        Download(self.client, self.bucket, self._key(name), temporary).run(self.retry)
                        return
                    except Changed:
                        if not left:
                            raise

    def delete(self, folder: str) -> None:
        """Delete every object below the folder."""
        for name in self.sizes(folder):
            self.remove(f"{folder}/{name}")

    def remove(self, name: str) -> None:
        """Delete an object if it exists."""
        request = partial(self.client.delete_object, Bucket=self.bucket, Key=self._key(name))
        with self._translate_errors(name):
            self.retry(request)

    def read_text(self, name: str) -> tuple[str, str] | None:
        """Return the text of a small object and its ETag."""

        def read() -> tuple[str, str]:
            found = self.client.get_object(Bucket=self.bucket, Key=self._key(name))
            return found["Body"].read().decode(errors="replace"), found["ETag"]

        with self._translate_errors(name):
            try:
                return self.retry(read)
            except ClientError as error:
                if status_of(error) == 404:
                    return None
                raise

    def swap(self, name: str, text: str, tag: str | None) -> str | None:
        """Write a small object by a conditional request if its current version still has the given ETag."""
        target = {"Bucket": self.bucket, "Key": self._key(name)}
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        with self._translate_errors(name):
            try:
                put = self.retry(partial(self.client.put_object, **target, Body=text.encode(), **condition))
                return str(put["ETag"])
            except ClientError as error:
                if status_of(error) in (
                    404,
                    409,
                    412,
                ):  # deleted, being written by another process, or changed
                    return None
                raise

    def holds(self, path: Path, name: str) -> bool:
        """Return whether an object has the same bytes as a file, judged by the object's ETag and checksums."""
        key = {"Bucket": self.bucket, "Key": self._key(name)}
        with self._translate_errors(name):
            try:
                found = self.retry(partial(self.client.head_object, **key))
                if found["ContentLength"] != path.stat().st_size:
                    return False
                encrypted = is_encrypted(found)
                if num_parts(found["ETag"]) is None or encrypted:
                    return super().holds(path, name)
                ask = partial(self.client.head_object, **key, IfMatch=found["ETag"])
                return is_right(
                    path, found["ETag"], encrypted, lambda **details: self.retry(partial(ask, **details))
                )
            except ClientError as error:
                if status_of(error) in (404, 412):
                    return False
                raise

    def _upload(self, path: Path, key: str) -> None:
        with create_transfer_manager(self.client, UPLOADING) as manager:
            manager.upload(str(path), self.bucket, key).result()

    def _abort_leftovers(self, key: str) -> None:
        """Abort unfinished uploads of killed processes, and those that S3 refused to abort earlier."""
        target = {"Bucket": self.bucket, "Key": key}
        for upload in self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=key).get("Uploads", ()):
            if upload["Key"] == key:
                self.client.abort_multipart_upload(**target, UploadId=upload["UploadId"])

    def _key(self, name: str) -> str:
        return self.prefix + checked(name, self._uri(""))

    def _uri(self, name: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{name}"

    def _translate_errors(self, name: str = "") -> AbstractContextManager[None]:
        return translate_errors(self._uri(name))
