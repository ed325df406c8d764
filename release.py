"""Makes a release of what is committed: `make release RELEASE=0.2.0` says what it would do, with DO=1 it does it.

The version and the names of images in manifests are changed, the changelog's unreleased part gets the version and the
date, and both are committed. The wheel is built into dist/. With the digest of a base image, the images are built,
pushed and signed, and named by their digests (`make release-images`). A tag comes last. Nothing is pushed to git.
"""

import argparse
import difflib
import hashlib
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

INIT, CHANGELOG = Path("src/cellwright/__init__.py"), Path("CHANGELOG.md")
UNRELEASED = "## Unreleased\n"
VERSION = re.compile(r'__version__ = "(.+)"')
NUMBERS = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def main() -> None:
    """Check, and print or make the release."""
    parser = argparse.ArgumentParser(description="Release what is committed; by default, only say how.")
    parser.add_argument("version", help="such as 0.2.0")
    parser.add_argument(
        "--python-image", default="", help="base image with its digest; without it, no images"
    )
    parser.add_argument("--do", action="store_true", help="change, commit, build and tag")
    asked = parser.parse_args()
    current = VERSION.findall(INIT.read_text(encoding="utf-8"))[0]
    if problem := problem_of(asked.version, current):
        sys.exit(f"error: {problem}")
    changed = changes(asked.version, current, f"{datetime.now(UTC):%Y-%m-%d}")
    for path, text in changed.items():
        before = path.read_text(encoding="utf-8").splitlines()
        print(
            *difflib.unified_diff(before, text.splitlines(), str(path), str(path), lineterm="", n=0), sep="\n"
        )
        if asked.do:
            path.write_text(text, encoding="utf-8")
    wheel = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"]
    commands = [["git", "commit", "-qam", f"Release {asked.version}"], wheel]
    if asked.python_image:
        commands.append(["make", "release-images", f"PYTHON_IMAGE={asked.python_image}"])
    for command in commands:
        run(command, do=asked.do)
    if asked.do:
        report()
    run(["git", "tag", "-a", f"v{asked.version}", "-m", f"cellwright {asked.version}"], do=asked.do)
    print("done; push the commit and the tag" if asked.do else "nothing was changed: DO=1 does it")


def problem_of(version: str, current: str) -> str | None:
    """Return why the version cannot be released, or None."""
    if not (new := NUMBERS.fullmatch(version)):
        return f"the version must be three numbers, such as 0.2.0, got {version!r}"
    old = NUMBERS.match(current)
    if old and tuple(map(int, new.groups())) <= tuple(map(int, old.groups())):
        return f"the version must be above {current}, got {version}"
    if dirty := output("git", "status", "--porcelain"):
        return f"all changes must be committed before a release, got\n{dirty}"
    if output("git", "tag", "--list", f"v{version}"):
        return f"v{version} must be no tag yet"
    if "\n- " not in unreleased(CHANGELOG.read_text(encoding="utf-8")):
        return f"{CHANGELOG} must list changes under Unreleased"
    return None


def changes(version: str, current: str, date: str) -> dict[Path, str]:
    """Return the new text of each file that has the version."""
    found = {INIT: INIT.read_text(encoding="utf-8").replace(f'"{current}"', f'"{version}"')}
    log = CHANGELOG.read_text(encoding="utf-8")
    found[CHANGELOG] = log.replace(UNRELEASED, f"{UNRELEASED}\n## {version} - {date}\n", 1)
    image = re.compile(rf"(image: ghcr\.io/cellwright/[a-z]+:){re.escape(current)}$", re.MULTILINE)
    for path in sorted(Path("manifests").rglob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if image.search(text):
            found[path] = image.sub(rf"\g<1>{version}", text)
    return found


def unreleased(changelog: str) -> str:
    """Return the part of the changelog that is not released."""
    return changelog.partition(UNRELEASED)[2].partition("\n## ")[0]


def report() -> None:
    """Print the digest of the wheel."""
    for wheel in sorted(Path("dist").glob("*.whl")):
        print(f"{wheel}: sha256 {hashlib.sha256(wheel.read_bytes()).hexdigest()}")


def run(command: list[str], *, do: bool) -> None:
    """Print the command, and run it if asked."""
    print("+", *command, flush=True)
    if do:
        subprocess.run(command, check=True)


def output(*command: str) -> str:
    """Return what a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
