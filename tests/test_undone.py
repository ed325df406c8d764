"""The page of protections; `python -m tests.undone` shows that its tests fail without them."""

from tests.undone import CASES, GROUPS, ROOT, table


def test_the_page_lists_every_protection():
    assert f"\n{table()}\n" in (ROOT / "docs/security.md").read_text()
    assert {case.group for case in CASES} == GROUPS.keys()


def test_every_protection_can_be_taken_away_and_has_a_test():
    for case in CASES:
        assert (ROOT / case.file).read_text().count(case.old) == 1, case.what
        file, *_, test = case.test.split("::")
        sources = [ROOT / file, *(ROOT / "src/cellwright/testing").glob("*.py")]
        assert any(f"def {test}(" in source.read_text() for source in sources), case.test
