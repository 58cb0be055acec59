"""The root of the errors that a person should hear about."""


class ZchatError(Exception):
    """The root: `str()` is a sentence for a person, `exit_code` is for the shell."""

    exit_code = 1
