"""Stored bytes: small ones in their row, larger ones in files with an index, so that any part is read by itself.

Bytes are durable before their row is inserted, so no row lacks its bytes; a crash leaves at most bytes that no row
names (docs/architecture.md, "Content").
"""

from artifacts.storage.base import Unreadable as Unreadable
from artifacts.storage.local import folder as folder
from artifacts.storage.local import path_of as path_of
from artifacts.storage.reading import Damaged as Damaged
from artifacts.storage.reading import chunks as chunks
from artifacts.storage.reading import stretch as stretch
from artifacts.storage.reading import text_of as text_of
from artifacts.storage.writing import Prepared as Prepared
from artifacts.storage.writing import Writer as Writer
from artifacts.storage.writing import insert as insert
from artifacts.storage.writing import prepare as prepare
