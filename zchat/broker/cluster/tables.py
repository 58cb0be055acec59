"""By which tables names are judged: what is a letter, a capital, or looks like something else is not ours to say.

Python brings Unicode's, and two libraries theirs. A broker with newer ones may take a nick that one with older ones
refuses: their logs would differ from there on. So brokers tell which they have, and do not run beside others.
"""

import unicodedata
from importlib import metadata

LIBRARIES = ("precis-i18n", "confusable-homoglyphs")


def tables() -> str:
    """Return which tables these are, for people, and to be compared."""
    return ", ".join([f"Unicode {unicodedata.unidata_version}", *map(_version, LIBRARIES)])


def _version(library: str) -> str:
    try:
        return f"{library} {metadata.version(library)}"
    except metadata.PackageNotFoundError:  # it was installed in another way than by a package
        return library
