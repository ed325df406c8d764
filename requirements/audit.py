"""Asks the package index for known vulnerabilities of the locked packages; `make audit` calls it.

Exits with 1 if there are any, and with 2 if packages could not be looked up: pip-audit alone would find none in them.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

LOCKS = ("build", "docs", "mlflow", "dev")
"""Lock files that cover all packages, the smallest first."""
FOUND, UNKNOWN = 1, 2


def main() -> int:
    """Audit each lock until one has a vulnerability or no answer; return the exit code."""
    for lock in LOCKS:
        code, lines = verdict(lock, _packages(Path(__file__).with_name(f"{lock}.txt")))
        print("\n".join(lines))
        if code:
            return code
    return 0


def verdict(lock: str, packages: Sequence[Mapping[str, Any]]) -> tuple[int, list[str]]:
    """Return the exit code for a lock and what to print, from pip-audit's list of packages."""
    unknown = [each["skip_reason"] for each in packages if "skip_reason" in each]
    if unknown:
        return UNKNOWN, [
            f"audit: {lock}.txt: NOT AUDITED: {len(unknown)} of {len(packages)} packages could not be looked up: "
            f"{unknown[0]}"
        ]
    found = list(_vulnerabilities(lock, packages))
    return (
        (FOUND, found)
        if found
        else (0, [f"audit: {lock}.txt: no known vulnerability in {len(packages)} packages"])
    )


def _vulnerabilities(lock: str, packages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in packages:
        for known in each["vulns"]:
            fixed = ", ".join(known["fix_versions"]) or "no version yet"
            yield f"audit: {lock}.txt: {each['name']} {each['version']} has {known['id']}, which is fixed in {fixed}"


def _packages(lock: Path) -> list[dict[str, Any]]:
    """Return pip-audit's list of the packages in a lock; one without an answer has a `skip_reason`."""
    options = ["--progress-spinner", "off", "--format", "json", "--disable-pip", "--require-hashes"]
    command = [sys.executable, "-m", "pip_audit", *options, "--requirement", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True)
    try:
        packages: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:  # it has no answer at all, and says why
        return [{"skip_reason": (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]}]
    return packages


if __name__ == "__main__":
    sys.exit(main())
