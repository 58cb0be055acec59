"""The files that people send, on disk beside the log.

folder.py   the files themselves: written aside, checked, put in their place
backup.py   a copy of them, beside that of the log
shelf.py    who has uploaded what, and how much may be uploaded
service.py  carries out what people ask for, beside the event loop
"""

from .backup import copy
from .folder import Folder
from .service import FOLDER, FileService
from .shelf import FileShelf

__all__ = ["FOLDER", "FileService", "FileShelf", "Folder", "copy"]
