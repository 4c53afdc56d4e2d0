"""Stored bytes: small ones in their row, larger ones in files named by their sha256, in frames that are read apart.

What is written is safe before its row is inserted, so a row never stands without its bytes; a crash leaves at most
bytes that no row names (docs/architecture.md, "Content").
"""

from artifacts.store.local import folder as folder
from artifacts.store.local import path_of as path_of
from artifacts.store.reading import READ_CHUNK as READ_CHUNK
from artifacts.store.reading import Damaged as Damaged
from artifacts.store.reading import chunks as chunks
from artifacts.store.reading import stretch as stretch
from artifacts.store.reading import text_of as text_of
from artifacts.store.seam import Unreadable as Unreadable
from artifacts.store.writing import Prepared as Prepared
from artifacts.store.writing import Writer as Writer
from artifacts.store.writing import insert as insert
from artifacts.store.writing import prepare as prepare
