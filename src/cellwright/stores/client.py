"""Clients of S3, and readable messages for their errors."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.parsers import ResponseParserError

from cellwright.credentials import WAYS, has_credentials
from cellwright.errors import CellwrightError, RefusedError
from cellwright.stores.retrying import status_of

THREADS = 16
CONFIG = Config(
    retries={
        "mode": "standard",
        "total_max_attempts": 3,
    },  # for short glitches; `Retry` handles longer outages
    connect_timeout=10,
    read_timeout=30,
    max_pool_connections=THREADS,
    request_checksum_calculation="when_required",  # servers other than Amazon's may not know the others
    response_checksum_validation="when_required",  # complete files are checked instead
)
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


class NoCredentials(CellwrightError):
    """No credentials were found, so no request can be made."""


def connect(endpoint: str | None) -> Any:
    """Return a client with the credentials that boto3 finds: from the environment, the service account or the node.

    Args:
        endpoint: a server other than Amazon's; the variable AWS_ENDPOINT_URL overrides it.
    """
    own = None if any(name in os.environ for name in ENDPOINT_VARIABLES) else endpoint
    session = boto3.Session()
    region = session.region_name or os.environ.get("AWS_REGION", "us-east-1")
    try:
        client = session.client("s3", endpoint_url=own, region_name=region, config=CONFIG)
    except ValueError as error:  # botocore raises nothing more specific
        raise CellwrightError(f"the endpoint of S3 must be http://HOST or https://HOST: {error}") from error
    if has_credentials(client.meta.endpoint_url):
        raise CellwrightError(f"the endpoint of S3 must be without user and password: {WAYS}")
    return client


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of `s3://BUCKET/KEY`; the key may be empty."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def list_below(client: Any, bucket: str, start: str) -> dict[str, Any]:
    """Return the S3 listing of each object whose key starts with `start`, by the rest of its key."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start)
    return {found["Key"].removeprefix(start): found for found in pages.search("Contents[]") if found}


@contextmanager
def translate_errors(uri: str) -> Iterator[None]:
    """Raise errors of S3 and its client as CellwrightError, refusals as RefusedError; the message names the URI."""
    try:
        yield
    except ClientError as error:
        code, message = error.response["Error"].get("Code"), error.response["Error"].get("Message", "")
        kind = RefusedError if status_of(error) == 403 else CellwrightError
        raise kind(f"{uri}: S3 says {code}: {message or error}") from error
    except NoCredentialsError as error:
        raise NoCredentials(
            f"{uri}: there are no keys for S3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this pod a "
            "service account or a node that may read and write there"
        ) from error
    except (BotoCoreError, ResponseParserError) as error:
        raise CellwrightError(f"{uri}: {error}") from error
