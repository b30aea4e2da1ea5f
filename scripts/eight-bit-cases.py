"""Makes the 8-bit models of test/cases/eight-bit with onnxruntime's quantizer: a net of shuffled channels (QLinearConv,
QLinearAdd) and a transformer (DynamicQuantizeLinear, MatMulInteger). Weights are ±1, so that they become ±127, and
activations are large: sums of two products don't fit in 16 bits.

Usage: python scripts/cases.py    (needs onnx, onnxruntime, numpy)
"""
import os
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static)

folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "..", "test", "cases", "eight-bit")
random = np.random.default_rng(0)


def signs(*shape):
    return random.choice([-1.0, 1.0], size=shape).astype(np.float32)


class Builder:
    def __init__(self):
        self.nodes, self.tensors = [], []

    def constant(self, values, name=None):
        name = name or f"c{len(self.tensors)}"
        self.tensors.append(numpy_helper.from_array(values, name))
        return name

    def op(self, kind, *inputs, outputs=1, **attributes):
        names = [f"{kind.lower()}{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, names[0], **attributes))
        return names[0] if outputs == 1 else names

    def model(self, x, shape, y, out):
        self.nodes[-1].output[0] = y
        graph = helper.make_graph(
            self.nodes, "g", [helper.make_tensor_value_info(x, TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, out)], self.tensors)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def shuffle():
    b = Builder()

    def conv(x, inner, outer, kernel=1, group=1):
        w = b.constant(signs(outer, inner // group, kernel, kernel) * 0.3)
        bias = b.constant((0.5 * random.standard_normal(outer)).astype(np.float32))
        return b.op("Conv", x, w, bias, group=group, pads=[kernel // 2] * 4)

    def unit(x, channels):
        half = channels // 2
        keep, go = b.op("Split", x, b.constant(np.array([half, half])), outputs=2, axis=1)
        go = b.op("Relu", conv(go, half, half))
        go = conv(go, half, half, 3, half)
        go = b.op("Relu", conv(go, half, half))
        y = b.op("Concat", keep, go, axis=1)
        y = b.op("Reshape", y, b.constant(np.array([0, 2, half, 8, 8])))
        y = b.op("Transpose", y, perm=[0, 2, 1, 3, 4])
        return b.op("Reshape", y, b.constant(np.array([0, channels, 8, 8])))

    x = b.op("Relu", conv("x", 3, 32))
    for _ in range(2):
        x = unit(x, 32)
    inner = b.op("Relu", conv(x, 32, 48))
    x = b.op("Add", x, conv(inner, 48, 32))
    conv(b.op("Relu", x), 32, 10)
    return b.model("x", ["n", 3, 8, 8], "y", ["n", 10, 8, 8])


def transformer(width=16, heads=2, tokens=6):
    b = Builder()

    def linear(x, inner, outer):
        return b.op("Add", b.op("MatMul", x, b.constant(signs(inner, outer) * 0.25)),
                    b.constant((0.2 * random.standard_normal(outer)).astype(np.float32)))

    def norm(x):
        return b.op("LayerNormalization", x, b.constant(np.ones(width, np.float32)),
                    b.constant(np.zeros(width, np.float32)), axis=-1)

    def split(x, perm):
        x = b.op("Reshape", x, b.constant(np.array([0, tokens, heads, width // heads])))
        return b.op("Transpose", x, perm=perm)

    x = linear("x", 8, width)
    n = norm(x)
    q, k, v = (split(linear(n, width, width), perm) for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
    scores = b.op("Softmax", b.op("Mul", b.op("MatMul", q, k), b.constant(np.float32(0.35))), axis=-1)
    mixed = b.op("Transpose", b.op("MatMul", scores, v), perm=[0, 2, 1, 3])
    mixed = b.op("Reshape", mixed, b.constant(np.array([0, tokens, width])))
    x = b.op("Add", x, linear(mixed, width, width))
    hidden = b.op("Relu", linear(norm(x), width, 40))
    x = b.op("Add", x, linear(hidden, 40, width))
    linear(norm(x), width, 5)
    return b.model("x", ["n", tokens, 8], "y", ["n", tokens, 5])


class Data(CalibrationDataReader):
    def __init__(self):
        self.left = 8

    def get_next(self):
        self.left -= 1
        return None if self.left < 0 else {"x": 2 * random.standard_normal((4, 3, 8, 8)).astype(np.float32)}


with tempfile.TemporaryDirectory() as work:
    path = os.path.join(work, "float.onnx")
    onnx.save(shuffle(), path)
    quantize_static(path, os.path.join(folder, "shuffle_int8.onnx"), Data(), quant_format=QuantFormat.QOperator,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)
    onnx.save(transformer(), path)
    quantize_dynamic(path, os.path.join(folder, "transformer_int8.onnx"), weight_type=QuantType.QInt8)
