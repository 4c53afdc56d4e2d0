"""The format of zlib, by ISA-L where there is a wheel of it: three times as fast both ways, and as small."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zlib import compress, crc32, decompressobj, error
else:
    try:
        from isal.isal_zlib import compress, crc32, decompressobj, error
    except ImportError:  # a machine that nobody makes it for
        from zlib import compress, crc32, decompressobj, error

__all__ = ["compress", "crc32", "decompressobj", "error"]
