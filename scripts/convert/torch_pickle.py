"""Reads a legacy (pre-zip) PyTorch state_dict without PyTorch, refusing every class that is not a tensor.

The file is five things one after the other: three small pickles (magic number, protocol, system info), the
state_dict with its storages as persistent ids, the list of storage keys, then for each key its element
count (int64) and raw little-endian elements.
"""

import array
import collections
import io
import pickle
import struct
import sys

MAGIC = 0x1950A86A20F9469CFC6C
# Storage class -> `array` type code and size of one element in bytes.
ELEMENTS = {"FloatStorage": ("f", 4), "LongStorage": ("q", 8)}

Storage = collections.namedtuple("Storage", "kind key count")
Tensor = collections.namedtuple("Tensor", "shape values")


class UnsafePickle(Exception):
    """The pickle asks for something that a file of weights has no need of."""


class _Reference(collections.namedtuple("_Reference", "storage offset shape strides")):
    """A tensor whose elements have not been read yet."""


def _rebuild_tensor(storage, offset, shape, strides, *_autograd):
    return _Reference(storage, offset, tuple(shape), tuple(strides))


_ALLOWED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch", "FloatStorage"): "FloatStorage",
    ("torch", "LongStorage"): "LongStorage",
}


class _StateDictUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return _ALLOWED[(module, name)]
        except KeyError:
            raise UnsafePickle(f"the weights file asks for {module}.{name}") from None

    def persistent_load(self, pid):
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or pid[1] not in ELEMENTS:
            raise UnsafePickle(f"unknown persistent id {pid!r}")
        return Storage(pid[1], pid[2], pid[4])


def _read_storages(stream, keys, references):
    kinds = {reference.storage.key: reference.storage for reference in references}
    storages = {}
    for key in keys:
        (count,) = struct.unpack("<q", stream.read(8))
        if key not in kinds or kinds[key].count != count:
            raise ValueError(f"storage {key} is not what the state_dict says")
        code, size = ELEMENTS[kinds[key].kind]
        raw = stream.read(count * size)
        if len(raw) != count * size:
            raise ValueError("the weights file ends early")
        values = array.array(code, raw)
        if sys.byteorder == "big":
            values.byteswap()
        storages[key] = values
    return storages


def _offsets(shape, strides):
    """Where each element lies in its storage, in row-major order of the tensor."""
    offsets = [0]
    for size, stride in zip(shape, strides):
        steps = [position * stride for position in range(size)]
        offsets = [offset + step for offset in offsets for step in steps]
    return offsets


def _gather(storage, reference):
    """The elements of one tensor in row-major order; weights that came from TensorFlow are stored transposed."""
    if not reference.shape:
        return storage[reference.offset : reference.offset + 1]
    rows = _offsets(reference.shape[:1], reference.strides[:1])
    within = _offsets(reference.shape[1:], reference.strides[1:])
    values = array.array(storage.typecode)
    for row in rows:
        start = reference.offset + row
        values.extend([storage[start + offset] for offset in within])
    return values


def load_state_dict(source):
    """The tensors of a legacy state_dict by name, in file order; values are flat `array`s in row-major order."""
    stream = io.BytesIO(source)
    if _StateDictUnpickler(stream).load() != MAGIC:
        raise ValueError("not a legacy PyTorch file")
    _StateDictUnpickler(stream).load()  # protocol version
    system = _StateDictUnpickler(stream).load()
    if not system.get("little_endian", True):
        raise ValueError("big-endian weights are not supported")
    references = _StateDictUnpickler(stream).load()
    keys = _StateDictUnpickler(stream).load()
    storages = _read_storages(stream, keys, references.values())
    tensors = {}
    for name, reference in references.items():
        values = _gather(storages[reference.storage.key], reference)
        tensors[name] = Tensor(reference.shape, values)
    return tensors
