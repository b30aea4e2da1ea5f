#!/usr/bin/env python3
"""Writes test/training/reference: small PyTorch models as ONNX, with the gradients that PyTorch has of a distillation
loss and of cross-entropy, and the updates of its optimizers on given gradients. Run by hand after a change of the list:
    python scripts/training-reference.py     # needs torch, onnx, numpy
"""
import json
import math
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

folder = Path(__file__).parent.parent / "test" / "training" / "reference"
folder.mkdir(parents=True, exist_ok=True)
torch.set_num_threads(1)
warnings.filterwarnings("ignore")
T, classes = 4.0, 5


class Residual(nn.Module):
    def __init__(self, channels, norm, groups=1):
        super().__init__()
        make = nn.BatchNorm2d if norm else (lambda _: nn.Identity())
        self.a = nn.Conv2d(channels, channels, 3, padding=1, groups=groups, bias=not norm)
        self.na = make(channels)
        self.b = nn.Conv2d(channels, channels, 3, padding=1, bias=not norm)
        self.nb = make(channels)

    def forward(self, x):
        return F.relu(x + self.nb(self.b(F.relu(self.na(self.a(x))))))


def convnet(norm, groups=1):
    first = [nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=not norm)] + ([nn.BatchNorm2d(8)] if norm else [])
    return nn.Sequential(*first, nn.ReLU(), Residual(8, norm, groups), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes))


class Squeeze(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(F.silu(self.down(x.mean((2, 3), keepdim=True)))))


def mobile():
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(6), nn.Hardswish(),
        nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False), nn.BatchNorm2d(6), nn.SiLU(), Squeeze(6),
        nn.Conv2d(6, 10, 1, bias=False), nn.BatchNorm2d(10), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(10, classes))


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(c // self.heads), -1)
        return self.out((weights @ v).transpose(1, 2).reshape(n, t, c))


class Block(nn.Module):
    def __init__(self, width, heads, before=True):
        super().__init__()
        self.before = before
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def mlp(self, x):
        return self.down(F.gelu(self.up(x)))

    def forward(self, x):
        if self.before:
            x = x + self.attention(self.norm1(x))
            return x + self.mlp(self.norm2(x))
        x = self.norm1(x + self.attention(x))
        return self.norm2(x + self.mlp(x))


class Vit(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, stride=4)
        self.positions = nn.Parameter(0.1 * torch.randn(1, 16, width))
        self.blocks, self.norm, self.head = nn.Sequential(Block(width, 2), Block(width, 3)), nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2) + self.positions
        return self.head(self.norm(self.blocks(x)).mean(1))


class Bert(nn.Module):
    def __init__(self, width=12):
        super().__init__()
        self.words, self.places = nn.Embedding(20, width), nn.Embedding(7, width)
        self.norm, self.blocks, self.head = nn.LayerNorm(width), nn.Sequential(Block(width, 2, before=False)), nn.Linear(width, classes)

    def forward(self, ids):
        x = self.norm(self.words(ids) + self.places(torch.arange(ids.shape[1])))
        return self.head(torch.tanh(self.blocks(x)[:, 0]))


class Recurrent(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.layers = kind(6, 8, batch_first=True, **options)
        self.head = nn.Linear(8 * (2 if options.get("bidirectional") else 1), classes)

    def forward(self, x):
        return self.head(self.layers(x)[0].mean(1))


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.middle = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 8, 3, stride=2, padding=1)
        self.up, self.last = nn.ConvTranspose2d(8, 6, 2, stride=2), nn.Conv2d(12, classes, 3, padding=1)
        self.norm = nn.GroupNorm(2, 8)

    def forward(self, x):
        a = F.leaky_relu(self.down(x), 0.1)
        b = F.silu(self.norm(self.middle(a)))
        return self.last(torch.cat([a, self.up(b)], 1)).mean((2, 3))


class Next(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.stem, self.deep = nn.Conv2d(3, width, 4, stride=4), nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 16), nn.Linear(16, width)
        self.scale, self.head = nn.Parameter(torch.full((width,), 0.5)), nn.Linear(width, classes)

    def forward(self, x):
        x = self.stem(x)
        y = self.down(F.gelu(self.up(self.norm(self.deep(x).permute(0, 2, 3, 1))))) * self.scale
        return self.head((x + y.permute(0, 3, 1, 2)).mean((2, 3)))


image, steps, ids = (4, 3, 16, 16), (4, 5, 6), (4, 7)
models = {
    "resnet_bn": (lambda: convnet(True), image),
    "resnet_folded": (lambda: convnet(False), image),
    "grouped_bn": (lambda: convnet(True, groups=4), image),
    "depthwise_se_bn": (mobile, image),
    "vit": (Vit, image),
    "bert": (Bert, ids),
    "lstm": (lambda: Recurrent(nn.LSTM), steps),
    "bilstm": (lambda: Recurrent(nn.LSTM, bidirectional=True), steps),
    "gru": (lambda: Recurrent(nn.GRU), steps),
    "unet_groupnorm": (Unet, image),
    "convnext": (Next, image),
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, classes)), (8, 6)),
}


def listed(tensor):
    return [float(f"{v:.9g}") for v in tensor.detach().reshape(-1).tolist()]


def reference(name, make, shape):
    torch.manual_seed(len(name))
    model = make()
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    x = torch.randint(0, 20, shape) if shape == ids else torch.randn(shape)
    model.eval()
    torch.onnx.export(
        model, x, str(folder / f"{name}.onnx"), dynamo=False, opset_version=17, do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE, input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}})
    model.train()
    teacher, labels = 3 * torch.randn(shape[0], classes), torch.randint(0, classes, (shape[0],))
    losses = {}
    for loss_name in ("kl", "labels"):
        model.zero_grad()
        y = model(x)
        if loss_name == "kl":
            loss = T * T * F.kl_div(F.log_softmax(y / T, -1), F.log_softmax(teacher / T, -1), reduction="batchmean", log_target=True)
        else:
            loss = F.cross_entropy(y, labels)
        loss.backward()
        losses[loss_name] = {"loss": float(loss), "gradients": {n: listed(p.grad) for n, p in model.named_parameters()}}
    result = {"shape": list(shape), "x": x.reshape(-1).tolist() if shape == ids else listed(x), "teacher": listed(teacher), "labels": labels.tolist(), "kl": losses["kl"], "cross_entropy": losses["labels"]}
    (folder / f"{name}.json").write_text(json.dumps(result))


def optimizer_reference():
    torch.manual_seed(1)
    cases = []
    for name, options in (
        ("sgd", dict(lr=0.1, momentum=0.9, weight_decay=0.01)),
        ("sgd", dict(lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)),
        ("sgd", dict(lr=0.1, momentum=0.0)),
        ("adamw", dict(lr=0.01, weight_decay=0.1)),
        ("adamw", dict(lr=0.002, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.0)),
    ):
        # Small, so that what float32 loses of a weight is little beside an update.
        parameter = nn.Parameter(0.005 * torch.randn(40))
        optimizer = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[name]([parameter], **options)
        first, steps = listed(parameter), []
        for _ in range(3):
            parameter.grad = torch.randn(40) * 10 ** torch.empty(40).uniform_(-4, 1)
            gradient = listed(parameter.grad)
            optimizer.step()
            steps.append({"gradient": gradient, "after": listed(parameter)})
        cases.append({"optimizer": name, "options": options, "first": first, "steps": steps})
    (folder / "optimizers.json").write_text(json.dumps(cases))


for name, (make, shape) in models.items():
    reference(name, make, shape)
    print(name)
optimizer_reference()
