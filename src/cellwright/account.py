"""Completes the user account of this process; on OpenShift and with `docker run --user`, it has no name and no home."""

import os
import pwd


def complete_account() -> None:
    """Set the variables that libraries read at import for a user without an entry in the password file.

    The home is `/`, as in container runtimes. It is not writable, which libraries tolerate.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("HOME", "/")
        os.environ.setdefault("USER", f"uid-{os.getuid()}")
