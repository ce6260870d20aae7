"""Arrays as an .npz of which equal arrays make equal bytes, read with suspicion.

What is written is a plain ``numpy.savez`` archive that ``numpy.load`` reads; what
is read back is only what is written here: stored (never compressed) members with
the shortest header, so that nothing is unpacked, pickled or allocated beyond the
bytes that are already in memory.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lablr.errors import BundleError
from lablr.system.arrays import Arrays

__all__ = ["Arrays", "pack_arrays", "unpack_arrays"]

DTYPES = frozenset({"<f2", "<f4", "<f8", "<i8", "|b1", "|u1"})
MAX_DIMENSIONS = 8
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold
# The start of an .npy file, format 1.0: magic, version, length of the header.
_PREAMBLE = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '(?P<descr>[<|][fibu][1248])', 'fortran_order': False, "
    rb"'shape': \((?P<shape>[0-9, ]{0,200})\), \} *\n"
)


def pack_arrays(arrays: Mapping[str, NDArray[Any]], name: str) -> bytes:
    """Return the .npz of some arrays, members in the order of their names.

    Raises BundleError, naming ``name`` and the array, for a dtype that is not
    float16, float32, float64, int64, bool or uint8, or more than eight dimensions.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for key in sorted(arrays):
            array = np.asarray(arrays[key], order="C")
            array = array.astype(array.dtype.newbyteorder("<"), copy=False)
            if array.dtype.str not in DTYPES or array.ndim > MAX_DIMENSIONS:
                raise BundleError(
                    f"{name}: the array {key!r} is {array.dtype} of"
                    f" {array.ndim} dimensions, which a bundle cannot hold"
                )
            member = io.BytesIO()
            np.lib.format.write_array(member, array, (1, 0), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{key}.npy", _LONG_AGO)
            entry.create_system = 3  # the same on every system
            archive.writestr(entry, member.getvalue())
    return packed.getvalue()


def unpack_arrays(packed: bytes, name: str) -> Arrays:
    """Return the arrays of an .npz, read-only, over its own bytes.

    Raises BundleError, naming ``name``, for anything `pack_arrays` does not write.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            entries = archive.infolist()
            _refuse_unpacking(entries, len(packed))
            members = {entry.filename: archive.read(entry) for entry in entries}
        if len(members) != len(entries):
            raise ValueError("two members share a name")
        return {
            key.removesuffix(".npy"): _read_array(member)
            for key, member in members.items()
        }
    except (
        ValueError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        zipfile.BadZipFile,
    ) as error:
        raise BundleError(f"{name}: not an archive of arrays: {error}") from error


def _refuse_unpacking(entries: list[zipfile.ZipInfo], n_bytes: int) -> None:
    """Refuse members that are compressed, encrypted or larger than the archive."""
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise ValueError(
                f"the member {entry.filename!r} is compressed or encrypted"
            )
        if not entry.filename.endswith(".npy"):
            raise ValueError(f"the member {entry.filename!r} is not an array")
    if sum(max(entry.file_size, entry.compress_size) for entry in entries) > n_bytes:
        raise ValueError("the members are larger than the archive")


def _read_array(member: bytes) -> NDArray[Any]:
    """Read one .npy of format 1.0; raises ValueError.

    The header is matched and never evaluated, and its shape is compared with the
    bytes at hand before an array is made.
    """
    start = len(_PREAMBLE) + 2
    end = start + int.from_bytes(member[start - 2 : start], "little")
    header = _HEADER.fullmatch(member[start:end])
    if not member.startswith(_PREAMBLE) or header is None:
        raise ValueError("an array's header is not one that Lablr writes")
    descr = header["descr"].decode("ascii")
    shape = tuple(int(n) for n in header["shape"].replace(b",", b" ").split())
    if descr not in DTYPES or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"an array is {descr} of {len(shape)} dimensions")
    dtype = np.dtype(descr)
    expected = math.prod(shape) * dtype.itemsize
    if len(member) - end != expected:
        raise ValueError(
            f"an array of shape {shape} takes {expected} bytes, not {len(member) - end}"
        )
    return np.frombuffer(member, dtype, math.prod(shape), end).reshape(shape)
