#!/usr/bin/env python3
"""PyTorch's side of scripts/training-speed.mjs: reads an ONNX model as a PyTorch module, node by node, and times
distillation steps (the dense model forward, the pruned one forward and backward, AdamW). Needs torch, onnx, numpy.
    python scripts/training-speed.py DENSE PRUNED BATCH THREADS STEPS
Prints one line of JSON: milliseconds of processor time of the fastest step, and the peak memory in MiB.
"""
import json
import resource
import sys
import time

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn
from torch.nn import functional as F


class Interpreter(nn.Module):
    """Runs the nodes in order; float initializers are parameters, constant expressions are computed once."""

    def __init__(self, path):
        super().__init__()
        graph = onnx.load(path).graph
        self.output, self.nodes, self.constants = graph.output[0].name, [], {}
        self.names = {}
        statistics = {i for n in graph.node if n.op_type == "BatchNormalization" for i in n.input[3:5]}
        for tensor in graph.initializer:
            value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
            if value.dtype == torch.float32 and value.numel() > 1 and tensor.name not in statistics:
                self.names[tensor.name] = f"p{len(self.names)}"
                self.register_parameter(self.names[tensor.name], nn.Parameter(value))
            else:
                self.constants[tensor.name] = value
        self.input = next(i.name for i in graph.input if i.name not in self.constants and i.name not in self.names)
        for node in graph.node:
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            if node.op_type == "Constant":
                self.constants[node.output[0]] = torch.from_numpy(np.array(numpy_helper.to_array(attributes["value"])))
            else:
                self.nodes.append((node.op_type, list(node.input), list(node.output), attributes))

    def forward(self, x):
        values = dict(self.constants, **{self.input: x})
        values.update((name, getattr(self, own)) for name, own in self.names.items())
        for op, inputs, outputs, attributes in self.nodes:
            results = getattr(self, op)(attributes, *(values.get(i) if i else None for i in inputs))
            values.update(zip(outputs, results if isinstance(results, (list, tuple)) else [results]))
        return values[self.output]

    def Conv(self, a, x, w, b=None):
        pads = a.get("pads", [0, 0, 0, 0])
        if pads[:2] != pads[2:]:
            x, pads = F.pad(x, (pads[1], pads[3], pads[0], pads[2])), [0, 0]
        return F.conv2d(x, w, b, a.get("strides", 1), pads[:2], a.get("dilations", 1), a.get("group", 1))

    def BatchNormalization(self, a, x, scale, shift, mean, variance):
        return F.batch_norm(x, mean, variance, scale, shift, self.training, 0.1, a.get("epsilon", 1e-5))

    def Gemm(self, a, x, w, b=None):
        return F.linear(x, w if a.get("transB", 0) else w.t(), b)

    def Reshape(self, a, x, shape):
        sizes = shape.tolist()
        return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(sizes)])

    def Slice(self, a, x, starts, ends, axes, steps=None):
        for start, end, axis in zip(starts.tolist(), ends.tolist(), axes.tolist()):
            x = x[(slice(None),) * (axis % x.dim()) + (slice(start, min(end, x.shape[axis])),)]
        return x

    def Gather(self, a, x, indices):
        axis = a.get("axis", 0) % x.dim()
        if indices.dim() == 0:
            return x.select(axis, int(indices))
        return F.embedding(indices, x) if axis == 0 and x.dim() == 2 else torch.index_select(x, axis, indices)

    def LayerNormalization(self, a, x, scale, shift=None):
        axis = a.get("axis", -1) % x.dim()
        return F.layer_norm(x, x.shape[axis:], scale, shift, a.get("epsilon", 1e-5))

    def Split(self, a, x, sizes=None):
        axis = a.get("axis", 0)
        return x.split(sizes.tolist() if sizes is not None else x.shape[axis] // a["num_outputs"], axis)

    def Unsqueeze(self, a, x, axes):
        for axis in sorted(axes.tolist()):
            x = x.unsqueeze(axis)
        return x

    def Squeeze(self, a, x, axes):
        for axis in sorted(axes.tolist(), reverse=True):
            x = x.squeeze(axis)
        return x

    def Cast(self, a, x):
        return x.to({1: torch.float32, 7: torch.int64, 6: torch.int32, 9: torch.bool}[a["to"]])

    def ReduceMean(self, a, x, axes=None):
        return x.mean(tuple(axes.tolist() if axes is not None else a["axes"]), bool(a.get("keepdims", 1)))

    def MaxPool(self, a, x):
        return F.max_pool2d(x, a["kernel_shape"], a.get("strides", 1), a.get("pads", [0, 0])[:2])

    Relu = staticmethod(lambda a, x: F.relu(x))
    Add = staticmethod(lambda a, x, y: x + y)
    Sub = staticmethod(lambda a, x, y: x - y)
    Mul = staticmethod(lambda a, x, y: x * y)
    Div = staticmethod(lambda a, x, y: x // y if not x.is_floating_point() else x / y)
    Pow = staticmethod(lambda a, x, y: x**y)
    Sqrt = staticmethod(lambda a, x: torch.sqrt(x))
    Erf = staticmethod(lambda a, x: torch.erf(x))
    MatMul = staticmethod(lambda a, x, y: x @ y)
    Softmax = staticmethod(lambda a, x: F.softmax(x, a.get("axis", -1)))
    HardSwish = staticmethod(lambda a, x: F.hardswish(x))
    HardSigmoid = staticmethod(lambda a, x: torch.clamp(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0, 1))
    Identity = staticmethod(lambda a, x: x)
    Flatten = staticmethod(lambda a, x: x.flatten(a.get("axis", 1)))
    GlobalAveragePool = staticmethod(lambda a, x: x.mean((2, 3), keepdim=True))
    Transpose = staticmethod(lambda a, x: x.permute(a["perm"]))
    Concat = staticmethod(lambda a, *xs: torch.cat(xs, a["axis"]))
    Shape = staticmethod(lambda a, x: torch.tensor(x.shape)[a.get("start", 0) : a.get("end", None)])
    ConstantOfShape = staticmethod(lambda a, s: torch.full(s.tolist(), numpy_helper.to_array(a["value"]).item() if "value" in a else 0.0))
    Equal = staticmethod(lambda a, x, y: x == y)
    Where = staticmethod(lambda a, c, x, y: torch.where(c, x, y))
    Expand = staticmethod(lambda a, x, s: x.expand(torch.broadcast_shapes(x.shape, tuple(s.tolist()))))


dense_path, pruned_path, batch, threads, steps = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
torch.set_num_threads(threads)
torch.manual_seed(0)
teacher, student = Interpreter(dense_path).eval(), Interpreter(pruned_path).train()
shape = [batch, *map(int, sys.argv[6].split(","))]
x = torch.randint(0, 100, shape) if len(shape) == 2 else torch.randn(shape)
optimizer, temperature, fastest = torch.optim.AdamW(student.parameters(), 2e-3, weight_decay=0.01), 4.0, float("inf")
for _ in range(steps):
    start = time.process_time()
    with torch.no_grad():
        target = F.log_softmax(teacher(x) / temperature, 1)
    loss = temperature**2 * F.kl_div(F.log_softmax(student(x) / temperature, 1), target, reduction="batchmean", log_target=True)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    fastest = min(fastest, time.process_time() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"milliseconds": 1000 * fastest, "peak": peak, "loss": loss.item()}))
