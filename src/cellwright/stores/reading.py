"""Reading what users have in S3: one object, or all below a prefix, many at a time."""

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
from cellwright.stores.client import THREADS, connect, in_words, list_below, split_uri
from cellwright.stores.download import Download
from cellwright.stores.retrying import SECONDS, s3_retry, say_line, status_of

MIB = 1 << 20
PROGRESS_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Object:
    """An object as it was when it was listed."""

    bucket: str
    key: str
    size: int
    etag: str


class S3Reader:
    """Objects by `s3://BUCKET/KEY`.

    Args:
        endpoint: of a server other than Amazon's; the variable AWS_ENDPOINT_URL overrides it.
        say: is told what is waited for.
        seconds: to wait for a server that refuses, hangs or breaks off.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        say: Callable[[str], None] = say_line,
        seconds: float = SECONDS,
    ) -> None:
        with in_words(endpoint or "s3"):
            self._client = connect(endpoint)
        self._retry = s3_retry(self._client.meta.endpoint_url, say=say, seconds=seconds)

    def find(self, uri: str) -> S3Object:
        """Return what is there.

        Raises:
            CellwrightError: nothing is, or S3 refuses to say; with its words.
        """
        bucket, key = split_uri(uri)
        if not key:
            raise CellwrightError(f"{uri}: must be s3://BUCKET/KEY of an object")
        with in_words(uri):
            try:
                found = self._retry(lambda: self._client.head_object(Bucket=bucket, Key=key))
            except ClientError as error:
                self._first(bucket, key)  # S3 gives its reasons only in answers that have a body
                if status_of(error) == 404:
                    raise CellwrightError(f"{uri}: there is no such object") from error
                raise
        return S3Object(bucket=bucket, key=key, size=found["ContentLength"], etag=found["ETag"])

    def below(self, uri: str) -> dict[str, S3Object]:
        """Return what is below a prefix, by its name within.

        Raises:
            CellwrightError: nothing is, or S3 refuses to say; with its words.
        """
        bucket, start = _split_folder(uri)
        with in_words(uri):
            found = self._retry(lambda: list_below(self._client, bucket, start))
        if not found:
            raise _nothing_below(uri)
        return {
            name: S3Object(bucket=bucket, key=listed["Key"], size=listed["Size"], etag=listed["ETag"])
            for name, listed in found.items()
        }

    def require_below(self, uri: str) -> None:
        """Raise CellwrightError where nothing is below the prefix, without listing what is."""
        with in_words(uri):
            if not self._first(*_split_folder(uri)):
                raise _nothing_below(uri)

    def download(self, objects: Mapping[Path, S3Object], parts: Path, progress: Progress) -> None:
        """Write each object to its path, unless it is there already.

        Args:
            objects: what is to lie where; what lies there with its size is whole, and is the object.
            parts: folder for partial files, from which a killed download resumes.
            progress: is told how far it is.

        Raises:
            CellwrightError: an object cannot be had, or is not the one that was listed any more.
        """
        parts.mkdir(parents=True, exist_ok=True)
        left = {path: o for path, o in objects.items() if not path.exists() or path.stat().st_size != o.size}
        places = {path: parts / digest([str(path), o.etag]) for path, o in left.items()}
        tally = _Tally(sum(o.size for o in objects.values()), len(objects), progress)
        tally.add(sum(o.size for path, o in objects.items() if path not in left), len(objects) - len(left))
        tally.add(sum(part.stat().st_size for part in places.values() if part.exists()))
        with ThreadPoolExecutor(THREADS) as pool:
            pending = {
                pool.submit(self._fetch, found, places[path], path, tally.add) for path, found in left.items()
            }
            try:
                while pending:
                    done, pending = wait(pending, PROGRESS_SECONDS, return_when=FIRST_EXCEPTION)
                    for future in done:
                        future.result()
                    tally.tell()
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
            with in_words(uri):
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
    """How much of all is there, told by many threads."""

    def __init__(self, num_bytes: int, num_objects: int, progress: Progress) -> None:
        self._lock = threading.Lock()
        self._bytes, self._objects = 0, 0
        self._num_bytes, self._num_objects = num_bytes, num_objects
        self._progress = progress

    def add(self, num_bytes: int, num_objects: int = 0) -> None:
        with self._lock:
            self._bytes += num_bytes
            self._objects += num_objects

    def tell(self) -> None:
        done, total = self._bytes // MIB, -(-self._num_bytes // MIB)
        if self._objects == self._num_objects:
            done = total
        self._progress.advance("download MiB", done, total, {"objects": self._objects})


def _split_folder(uri: str) -> tuple[str, str]:
    bucket, key = split_uri(uri)
    return bucket, f"{key.rstrip('/')}/" if key.rstrip("/") else ""


def _nothing_below(uri: str) -> CellwrightError:
    return CellwrightError(f"{uri}: there is no object below it")
