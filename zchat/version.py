"""The version of zchat, on the ground floor: whoever wants it reads it here."""

__version__ = "0.3.0"
