"""A store in an S3 bucket."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cellwright.errors import CellwrightError
from cellwright.files import atomic_path
from cellwright.stores._base import Store

PATIENT = Config(
    retries={"mode": "standard", "total_max_attempts": 8},  # of what may pass: throttling, resets, 5xx
    connect_timeout=10,
    read_timeout=60,
)


class S3Store(Store):
    """Objects below a prefix; S3 shows an object when it is whole.

    Args:
        uri: `s3://BUCKET/PREFIX`.
        endpoint: of a server other than Amazon's; the variable AWS_ENDPOINT_URL overrules it.
    """

    def __init__(self, uri: str, *, endpoint: str | None = None) -> None:
        self.bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        self.prefix = f"{prefix}/" if prefix else ""
        own = endpoint if "AWS_ENDPOINT_URL" not in os.environ else None
        region = os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
        with self._in_words():
            self.client = boto3.client("s3", endpoint_url=own, region_name=region, config=PATIENT)

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the bytes of every object below the folder, by its name within."""
        start = f"{self.prefix}{folder}/"
        with self._in_words(folder):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=start)
            return {
                o["Key"].removeprefix(start): o["Size"] for page in pages for o in page.get("Contents", ())
            }

    def put(self, path: Path, name: str) -> None:
        """Store a file, in place of what had that name."""
        with self._in_words(name):
            self.client.upload_file(str(path), self.bucket, self.prefix + name)

    def get(self, name: str, path: Path) -> None:
        """Write an object to the path."""
        with atomic_path(path) as temporary, self._in_words(name):
            size = self.client.head_object(Bucket=self.bucket, Key=self.prefix + name)["ContentLength"]
            self.client.download_file(self.bucket, self.prefix + name, str(temporary))
            if (got := temporary.stat().st_size) != size:
                raise CellwrightError(f"{self._uri(name)} must have {size} bytes, got {got}")

    def delete(self, folder: str) -> None:
        """Delete every object below the folder."""
        with self._in_words(folder):
            for name in self.sizes(folder):
                self.client.delete_object(Bucket=self.bucket, Key=f"{self.prefix}{folder}/{name}")

    def remove(self, name: str) -> None:
        """Delete an object, if there is one of that name."""
        with self._in_words(name):
            self.client.delete_object(Bucket=self.bucket, Key=self.prefix + name)

    def look(self, name: str) -> tuple[str, str] | None:
        """Return the text of a small object and its ETag."""
        try:
            with self._in_words(name):
                found = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)
                return found["Body"].read().decode(), found["ETag"]
        except CellwrightError as error:
            if _status(error) == 404:
                return None
            raise

    def swap(self, name: str, text: str, tag: str | None) -> str | None:
        """Write a small object in place of the version with the ETag, by a conditional request."""
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        try:
            with self._in_words(name):
                put = self.client.put_object(
                    Bucket=self.bucket, Key=self.prefix + name, Body=text.encode(), **condition
                )
                return str(put["ETag"])
        except CellwrightError as error:
            if _status(error) in (404, 409, 412):  # gone, being written by another, another version
                return None
            raise

    def _uri(self, name: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{name}"

    @contextmanager
    def _in_words(self, name: str = "") -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
            raise CellwrightError(f"{self._uri(name)}: S3 says {code}: {message or error}") from error
        except (BotoCoreError, boto3.exceptions.Boto3Error) as error:
            raise CellwrightError(f"{self._uri(name)}: {error}") from error


def _status(error: CellwrightError) -> int | None:
    """Return the HTTP status of S3's answer behind an error, if it answered."""
    response = getattr(error.__cause__, "response", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return None if status is None else int(status)
