import shutil

import pytest
from PIL import Image

from cellwright.data.reading import source_digest
from cellwright.errors import DataError
from cellwright.tasks.images.sources.digits import DigitsSection
from cellwright.tasks.images.sources.folder import FolderSection, class_names
from cellwright.tasks.images.sources.idx import IdxSection
from cellwright.tasks.images.sources.npz import NpzSection


@pytest.fixture
def pets(tmp_path):
    for name in ("cats", "dogs"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "pets" / name / "1.png")
    return tmp_path / "pets"


def test_depends_on_settings():
    assert source_digest(DigitsSection(source="digits")) == source_digest(DigitsSection(source="digits"))
    assert source_digest(DigitsSection(source="digits")) != source_digest(
        DigitsSection(source="digits", limit=99)
    )


def test_depends_on_the_contents_of_a_file_not_its_path(tmp_path):
    def digest_of(name: str, content: bytes) -> str:
        (tmp_path / name).write_bytes(content)
        return source_digest(NpzSection(source="npz", path=tmp_path / name))

    assert digest_of("one", b"1") == digest_of("other", b"1") != digest_of("one", b"2")


def test_distinguishes_the_roles_of_files(tmp_path):
    (tmp_path / "one").write_bytes(b"1")
    (tmp_path / "two").write_bytes(b"2")
    one, two = tmp_path / "one", tmp_path / "two"
    digests = {
        source_digest(IdxSection(source="idx", images=images, labels=labels))
        for images, labels in ((one, two), (two, one))
    }
    assert len(digests) == 2


def test_depends_on_the_names_inside_a_folder_not_on_its_own(pets):
    def digest_of(path):
        return source_digest(FolderSection(source="images", path=path))

    before = digest_of(pets)
    copy = shutil.copytree(pets, pets.parent / "copy")
    (copy / ".hidden").touch()
    assert digest_of(copy) == before
    (copy / "cats" / "1.png").rename(copy / "cats" / "2.png")
    assert digest_of(copy) != before


def test_depends_on_what_lies_elsewhere_not_on_where(tmp_path):
    (tmp_path / "test").write_bytes(b"1")

    def digest_of(uri: str, etag: str, test: str = "test", **more) -> str:
        section = NpzSection(source="npz", path=uri, test_path=tmp_path / test, **more)
        return source_digest(section, {"path": {"": [7, etag]}})

    one = digest_of("s3://bucket/one", '"a"')
    assert one == digest_of("s3://other/two", '"a"', endpoint="http://s3.storage:9000")
    assert one != digest_of("s3://bucket/one", '"b"')
    (tmp_path / "test").write_bytes(b"2")
    assert one != digest_of("s3://bucket/one", '"a"')


def test_names_of_a_folder_elsewhere_are_classes_and_files():
    names = ["cats/1.png", "cats/", "cats/.hidden", ".cache/1.png", "../up/1.png", "cats/../1.png"]
    assert class_names("s3://bucket/pets", names) == ["cats/1.png"]


@pytest.mark.parametrize("name", ["1.png", "/1.png", "cats//1.png"])
def test_other_names_elsewhere_are_refused(name):
    rule = f"^s3://pets: must hold a folder per class .*: {name} is not CLASS/FILE$"
    with pytest.raises(DataError, match=rule):
        class_names("s3://pets", ["cats/1.png", name])


@pytest.mark.parametrize(
    "section",
    [NpzSection(source="npz", path="/no/where"), FolderSection(source="images", path="/no/where")],
    ids=lambda section: section.source,
)
def test_names_what_is_missing(section):
    kind = "folder" if section.source == "images" else "file"
    with pytest.raises(DataError, match=f"^/no/where: there is no such {kind}"):
        source_digest(section)
