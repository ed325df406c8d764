"""The user that a process runs as, who on OpenShift and under `docker run --user` has neither a name nor a home."""

import os
import pwd


def complete_account() -> None:
    """Give a user without an entry in the password file what libraries ask for when they are imported.

    The home is `/`, as container runtimes have it. It cannot be written, which libraries bear.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("HOME", "/")
        os.environ.setdefault("USER", f"uid-{os.getuid()}")
