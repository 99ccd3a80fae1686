"""Writes ONNX files byte by byte, so that the result depends on no library version and its hash can be pinned.

Covers what the converters need: float tensors, plain operators, integer attributes. Field numbers are those
of the published onnx.proto; fields are written in ascending order within each message.
"""

import struct
import sys

FLOAT = 1
_ATTRIBUTE_INT, _ATTRIBUTE_INTS = 2, 7
IR_VERSION = 7
PRODUCER = "ocellus setup"


def _varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _integer(field, value):
    return _varint(field << 3) + _varint(value)


def _bytes(field, value):
    if isinstance(value, str):
        value = value.encode("utf-8")
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _attribute(name, value):
    if isinstance(value, int):
        return _bytes(1, name) + _integer(3, value) + _integer(20, _ATTRIBUTE_INT)
    return _bytes(1, name) + b"".join(_integer(8, item) for item in value) + _integer(20, _ATTRIBUTE_INTS)


def _value_info(name, shape):
    dims = b"".join(_bytes(1, _bytes(2, d) if isinstance(d, str) else _integer(1, d)) for d in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _integer(1, FLOAT) + _bytes(2, dims)))


class Graph:
    """A graph under construction. Shapes hold ints, or a name for a dimension that is known only at run time."""

    def __init__(self, name):
        self._name = name
        self._nodes, self._tensors, self._inputs, self._outputs = [], [], [], []

    def input(self, name, shape):
        self._inputs.append(_bytes(11, _value_info(name, shape)))
        return name

    def output(self, name, shape):
        self._outputs.append(_bytes(12, _value_info(name, shape)))

    def constant(self, name, shape, values):
        """Adds float32 weights: `values` is an `array('f')` in row-major order."""
        if sys.byteorder == "big":
            values = values[:]
            values.byteswap()
        dims = b"".join(_integer(1, size) for size in shape)
        self._tensors.append(_bytes(5, dims + _integer(2, FLOAT) + _bytes(8, name) + _bytes(9, values.tobytes())))
        return name

    def scalar(self, name, value):
        self._tensors.append(_bytes(5, _integer(2, FLOAT) + _bytes(8, name) + _bytes(9, struct.pack("<f", value))))
        return name

    def node(self, operator, inputs, output, **attributes):
        """Adds an operator with one output, which also names the node, and returns that name."""
        body = b"".join(_bytes(1, name) for name in inputs) + _bytes(2, output) + _bytes(3, output)
        body += _bytes(4, operator) + b"".join(_bytes(5, _attribute(k, v)) for k, v in sorted(attributes.items()))
        self._nodes.append(_bytes(1, body))
        return output

    def model(self, opset):
        """The finished file."""
        graph = b"".join(self._nodes) + _bytes(2, self._name) + b"".join(self._tensors + self._inputs + self._outputs)
        opset_import = _bytes(8, _bytes(1, "") + _integer(2, opset))
        return _integer(1, IR_VERSION) + _bytes(2, PRODUCER) + _bytes(7, graph) + opset_import
