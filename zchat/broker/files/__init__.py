"""The files that people send, on disk beside the log.

folder.py   the files themselves: written aside, checked, put in their place
shelf.py    who has uploaded what, and how much may be uploaded
service.py  carries out what people ask for, beside the event loop
"""

from .folder import Folder
from .service import FileService
from .shelf import FileShelf

__all__ = ["FileService", "FileShelf", "Folder"]
