"""The exceptions this package raises on purpose.

    ToolkitError
    ├── DatasetError   a dataset, manifest or folder is not what a step needs
    ├── SourceError    pictures could not be had from a source
    ├── BundleError    a trained model cannot be used
    └── ImageError     one picture cannot be used; stages turn it into a row with a reason

Wrong arguments stay `ValueError` and `TypeError`. Every message says what was expected, what came, and what to do.
"""

import errno

OF_THE_MACHINE = {  # a full or broken disk, a share that is gone, a right that is missing, too many open files
    getattr(errno, name)
    for name in (
        *("ENOSPC", "EDQUOT", "EROFS", "EIO", "ENOMEM", "EMFILE", "ENFILE", "EACCES", "EPERM"),
        *("ESTALE", "ENOTCONN", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENODEV", "ENXIO", "EREMOTEIO"),
    )
    if hasattr(errno, name)
}


class ToolkitError(Exception):
    """Anything that goes wrong for a reason a person can do something about."""


class DatasetError(ToolkitError):
    """A dataset, manifest or folder is not what a step needs."""


class SourceError(ToolkitError):
    """Pictures could not be had from a source."""


class BundleError(ToolkitError):
    """A trained model cannot be used."""


class ImageError(ToolkitError):
    """One picture cannot be used; `reason` says why in words."""

    def __init__(self, reason: str, *, status: str = "unreadable"):
        super().__init__(reason)
        self.reason = reason
        self.status = status


def is_of_the_machine(error: BaseException) -> bool:
    """Whether an error is no fault of the picture, format or settings that were worked on: the next would fail alike.

    >>> is_of_the_machine(OSError(errno.ENOSPC, "No space left on device")), is_of_the_machine(ValueError())
    (True, False)
    """
    return isinstance(error, OSError) and error.errno in OF_THE_MACHINE


def in_one_line(error: BaseException) -> str:
    """The first line of a message, 200 characters at most; the name of the error if it has none.

    >>> in_one_line(ValueError("no such layer\\n  in model")), in_one_line(KeyboardInterrupt())
    ('no such layer', 'KeyboardInterrupt')
    """
    message = str(error).strip()
    return message.splitlines()[0][:200] if message else type(error).__name__
