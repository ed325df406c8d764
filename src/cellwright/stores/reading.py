"""Reads the users' data from S3: one object, or all objects below a prefix in parallel."""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from cellwright.canonical import digest
from cellwright.errors import CellwrightError
from cellwright.progress import Progress
from cellwright.stores.client import THREADS, connect, list_below, split_uri, translate_errors
from cellwright.stores.download import Download
from cellwright.stores.retrying import SECONDS, s3_retry, say_line, status_of

MIB = 1 << 20
PROGRESS_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Object:
    """An object, as listed."""

    bucket: str
    key: str
    size: int
    etag: str


class S3Reader:
    """Reads objects by `s3://BUCKET/KEY`.

    Args:
        endpoint: a server other than Amazon's; the variable AWS_ENDPOINT_URL overrides it.
        log: receives a message when requests are retried.
        seconds: how long to retry if the server refuses or breaks connections.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        log: Callable[[str], None] = say_line,
        seconds: float = SECONDS,
    ) -> None:
        with translate_errors(endpoint or "s3"):
            self._client = connect(endpoint)
        self._retry = s3_retry(self._client.meta.endpoint_url, log=log, seconds=seconds)

    def find(self, uri: str) -> S3Object:
        """Return the object at the URI.

        Raises:
            CellwrightError: there is no such object, or S3 refuses access; the message has S3's reason.
        """
        bucket, key = split_uri(uri)
        if not key:
            raise CellwrightError(f"{uri}: must be s3://BUCKET/KEY of an object")
        with translate_errors(uri):
            try:
                found = self._retry(lambda: self._client.head_object(Bucket=bucket, Key=key))
            except ClientError as error:
                self._first(bucket, key)  # S3 gives a reason only in responses with a body
                if status_of(error) == 404:
                    raise CellwrightError(f"{uri}: there is no such object") from error
                raise
        return S3Object(bucket=bucket, key=key, size=found["ContentLength"], etag=found["ETag"])

    def below(self, uri: str) -> dict[str, S3Object]:
        """Return all objects below a prefix, by the rest of their keys.

        Raises:
            CellwrightError: there are no objects, or S3 refuses access; the message has S3's reason.
        """
        bucket, start = _split_folder(uri)
        with translate_errors(uri):
            found = self._retry(lambda: list_below(self._client, bucket, start))
        if not found:
            raise _nothing_below(uri)
        return {
            name: S3Object(bucket=bucket, key=listed["Key"], size=listed["Size"], etag=listed["ETag"])
            for name, listed in found.items()
        }

    def require_below(self, uri: str) -> None:
        """Raise CellwrightError if there are no objects below the prefix. Does not list all of them."""
        with translate_errors(uri):
            if not self._first(*_split_folder(uri)):
                raise _nothing_below(uri)

    def download(self, objects: Mapping[Path, S3Object], parts: Path, progress: Progress) -> None:
        """Download each object to its path, unless a file exists there.

        Args:
            objects: the objects by their target paths. An existing file of the right size is taken for the object.
            parts: folder for partial files, from which a killed download resumes.
            progress: receives the number of bytes.

        Raises:
            CellwrightError: an object cannot be read, or was replaced since it was listed.
        """
        parts.mkdir(parents=True, exist_ok=True)
        left = {path: o for path, o in objects.items() if not path.exists() or path.stat().st_size != o.size}
        part_files = {path: parts / digest([str(path), o.etag]) for path, o in left.items()}
        tally = _Tally(sum(o.size for o in objects.values()), len(objects), progress)
        tally.add(sum(o.size for path, o in objects.items() if path not in left), len(objects) - len(left))
        tally.add(sum(part.stat().st_size for part in part_files.values() if part.exists()))
        with ThreadPoolExecutor(THREADS) as pool:
            pending = {
                pool.submit(self._fetch, found, part_files[path], path, tally.add)
                for path, found in left.items()
            }
            try:
                while pending:
                    done, pending = wait(pending, PROGRESS_SECONDS, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                    tally.report()
            except BaseException:
                self._retry.ended.set()
                pool.shutdown(cancel_futures=True)
                raise

    def _fetch(self, found: S3Object, part: Path, path: Path, add: Callable[[int, int], None]) -> None:
        uri = f"s3://{found.bucket}/{found.key}"
        download = Download(
            self._client,
            found.bucket,
            found.key,
            part,
            size=found.size,
            etag=found.etag,
            advance=lambda added: add(added, 0),
        )
        try:
            with translate_errors(uri):
                download.run(self._retry)
            path.parent.mkdir(parents=True, exist_ok=True)
            part.replace(path)
        except OSError as error:
            raise CellwrightError(f"{path}: cannot be written: {error.strerror or error}") from error
        add(0, 1)

    def _first(self, bucket: str, start: str) -> Any:
        answer = self._retry(lambda: self._client.list_objects_v2(Bucket=bucket, Prefix=start, MaxKeys=1))
        return answer.get("Contents")


class _Tally:
    """Counts the downloaded bytes of all threads and reports them."""

    def __init__(self, num_bytes: int, num_objects: int, progress: Progress) -> None:
        self._lock = threading.Lock()
        self._bytes, self._objects = 0, 0
        self._num_bytes, self._num_objects = num_bytes, num_objects
        self._progress = progress

    def add(self, num_bytes: int, num_objects: int = 0) -> None:
        with self._lock:
            self._bytes += num_bytes
            self._objects += num_objects

    def report(self) -> None:
        done, total = self._bytes // MIB, -(-self._num_bytes // MIB)
        if self._objects == self._num_objects:
            done = total
        self._progress.advance("download MiB", done, total, {"objects": self._objects})


def _split_folder(uri: str) -> tuple[str, str]:
    bucket, key = split_uri(uri)
    return bucket, f"{key.rstrip('/')}/" if key.rstrip("/") else ""


def _nothing_below(uri: str) -> CellwrightError:
    return CellwrightError(f"{uri}: there is no object below it")
