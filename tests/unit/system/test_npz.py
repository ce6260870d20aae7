"""Archives of arrays: what is written is read, and nothing else is."""

from __future__ import annotations

import io
import random
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lablr.errors import BundleError
from lablr.system.npz import pack_arrays, unpack_arrays


def zipped(*members: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


def npy(header: str, content: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    raw = header.encode() + b"\n"
    return b"\x93NUMPY" + version + len(raw).to_bytes(2, "little") + raw + content


def header(descr: str = "<f4", shape: str = "(2,)", fortran: bool = False) -> str:
    return f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}"


HOSTILE_ARCHIVES = {
    "no zip": b"x" * 100,
    "empty": b"",
    "a bomb": zipped(("a.npy", bytes(50_000_000)), compression=zipfile.ZIP_DEFLATED),
    "not an array": zipped(("a.txt", b"")),
    "an empty member": zipped(("a.npy", b"")),
    "short": zipped(("a.npy", npy(header(), bytes(7)))),
    "long": zipped(("a.npy", npy(header(), bytes(9)))),
    "huge": zipped(("a.npy", npy(header(shape=f"({10**18}, {10**18})"), bytes(8)))),
    "negative": zipped(("a.npy", npy(header(shape="(-1, -2)"), bytes(8)))),
    "objects": zipped(("a.npy", npy(header("|O", "(1,)"), bytes(8)))),
    "texts": zipped(("a.npy", npy(header("<U2", "(1,)"), bytes(8)))),
    "shorts": zipped(("a.npy", npy(header("<i2", "(1,)"), bytes(2)))),
    "big-endian": zipped(("a.npy", npy(header(">f4"), bytes(8)))),
    "fortran": zipped(("a.npy", npy(header(fortran=True), bytes(8)))),
    "version 3": zipped(("a.npy", npy(header(), bytes(8), b"\x03\x00"))),
    "nested": zipped(("a.npy", npy("(" * 10_000, bytes(8)))),
    "nine axes": zipped(("a.npy", npy(header(shape="(" + "1, " * 9 + ")"), bytes(4)))),
}


@pytest.mark.parametrize("kind", HOSTILE_ARCHIVES)
def test_hostile_archives_are_refused(kind: str) -> None:
    with pytest.raises(BundleError, match=r"map\.npz: not an archive of arrays"):
        unpack_arrays(HOSTILE_ARCHIVES[kind], "map.npz")


def test_a_bomb_is_not_unpacked() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BundleError, match="compressed"):
            unpack_arrays(HOSTILE_ARCHIVES["a bomb"], "map.npz")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_the_hand_made_archive_is_fine_otherwise() -> None:
    packed = zipped(("a.npy", npy(header(), bytes(8))))
    np.testing.assert_array_equal(unpack_arrays(packed, "x")["a"], [0, 0])


def test_two_members_of_one_name_are_refused() -> None:
    member = ("a.npy", npy(header(), bytes(8)))
    with pytest.warns(UserWarning, match="Duplicate name"):
        packed = zipped(member, member)
    with pytest.raises(BundleError, match="two members"):
        unpack_arrays(packed, "map.npz")


def test_mutants_of_an_archive_are_arrays_or_bundle_errors() -> None:
    packed = pack_arrays({"a": np.arange(4.0), "b": np.zeros((2, 2), np.uint8)}, "x")
    rng = random.Random(0)
    for _ in range(3000):
        mutant = bytearray(packed)
        for _ in range(rng.randint(1, 4)):
            mutant[rng.randrange(len(mutant))] = rng.randrange(256)
        try:
            arrays = unpack_arrays(bytes(mutant), "x")
        except BundleError:
            continue
        assert sum(array.nbytes for array in arrays.values()) < len(packed)


@settings(deadline=None)  # other programs run on this machine
@given(
    array=st.sampled_from(["f4", "f8", "i8", "b1", "u1", ">f8", ">i8"]).flatmap(
        lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, min_side=0))
    )
)
def test_arrays_come_back_as_they_were(array: np.ndarray) -> None:
    for given_array in (array, np.array(array, order="F")):
        packed = pack_arrays({"x": given_array, "a": np.ones(1)}, "x")
        back = unpack_arrays(packed, "x")
        assert list(back) == ["a", "x"]
        assert back["x"].shape == given_array.shape
        assert back["x"].dtype == given_array.dtype.newbyteorder("<")
        np.testing.assert_array_equal(back["x"], given_array)
        assert packed == pack_arrays({"a": np.ones(1), "x": array}, "x")
