"""Errors that the user can fix."""


class CellwrightError(Exception):
    """An error in the user's input. The message names the thing, its value and the rule it breaks.

    The command line prints only the message, without a traceback, and exits with 1.
    """


class SpecError(CellwrightError):
    """A spec that cannot be read or breaks a rule; the message lists every error."""


class DivergedError(CellwrightError):
    """A training whose loss or weights are no longer finite; the message names the epoch and the rate to lower."""


class RefusedError(CellwrightError):
    """A request that a server does not allow; repeating it changes nothing."""


class DataError(CellwrightError):
    """Data that cannot be read or used; the message names the file."""


class BrokenFilesError(DataError):
    """Data with unusable files; the message names some of them, and `files` lists all with the reasons."""

    def __init__(self, message: str, files: tuple[str, ...]) -> None:
        super().__init__(message)
        self.files = files
