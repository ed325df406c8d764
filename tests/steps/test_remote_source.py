"""Names of objects become paths here."""

import pytest

from cellwright.errors import CellwrightError
from cellwright.steps.remote_source import _objects
from cellwright.stores import S3Object
from cellwright.tasks.images.sources.folder import FolderSection


class Reader:
    def below(self, uri: str) -> dict[str, S3Object]:
        names = ("cats/1.png", "dogs/1.png", "dogs/a\\2.png")
        return {name: S3Object(bucket="b", key=name, size=1, etag="e") for name in names}


def test_objects_whose_names_are_no_paths_are_refused():
    section = FolderSection(source="images", path="s3://bucket/photos")
    with pytest.raises(CellwrightError, match=r"s3://bucket/photos: the name .* got 'dogs/a"):
        _objects(section, "path", "s3://bucket/photos", Reader())  # type: ignore[arg-type]
