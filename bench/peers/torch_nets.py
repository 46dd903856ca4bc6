"""The networks of the workloads in PyTorch (images NCHW, as PyTorch has them)."""

import torch
from torch import nn

from protocol import WORKLOADS


def mlp(sizes, batch_norm=False, dropout=0.0):
    """Linear layers of these sizes with ReLU between them; batch norm before each ReLU, dropout after it."""
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:-1]):
        layers.append(nn.Linear(inputs, outputs))
        if batch_norm:
            layers.append(nn.BatchNorm1d(outputs))
        layers.append(nn.ReLU())
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, kernel_size=5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.Tanh(),
        nn.Linear(120, 84),
        nn.Tanh(),
        nn.Linear(84, 10),
    )


def cnn():
    return nn.Sequential(
        nn.Conv2d(1, 32, kernel_size=3),
        nn.ReLU(),
        nn.Conv2d(32, 64, kernel_size=3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(9216, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, 10),
    )


def convolution_and_norm(inputs, outputs, size, stride=1):
    convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """relu(residual(x) + shortcut(x)); the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.residual = nn.Sequential(
            convolution_and_norm(inputs, outputs, 3, stride), nn.ReLU(), convolution_and_norm(outputs, outputs, 3)
        )
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else convolution_and_norm(inputs, outputs, 1, stride)

    def forward(self, x):
        return torch.relu(self.residual(x) + self.shortcut(x))


def resnet18():
    """The CIFAR ResNet-18: a 3x3 stem, four stages of two basic blocks, global average pooling."""
    layers, inputs = [convolution_and_norm(3, 64, 3), nn.ReLU()], 64
    for stage, outputs in enumerate((64, 128, 256, 512)):
        layers += [BasicBlock(inputs, outputs, 1 if stage == 0 else 2), BasicBlock(outputs, outputs, 1)]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


class Lstm(nn.Module):
    """The last output over a sequence. PyTorch's layer has two biases where one would do."""

    def __init__(self, inputs, hidden, classes):
        super().__init__()
        self.recurrent = nn.LSTM(inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, classes)

    def forward(self, x):
        return self.head(self.recurrent(x)[0][:, -1])


class Attention(nn.Module):
    """x + dropout(attention(norm(x)))"""

    def __init__(self, size, heads, dropout):
        super().__init__()
        self.norm, self.dropout = nn.LayerNorm(size), nn.Dropout(dropout)
        self.attention = nn.MultiheadAttention(size, heads, dropout=dropout, batch_first=True)

    def forward(self, x):
        y = self.norm(x)
        return x + self.dropout(self.attention(y, y, y, need_weights=False)[0])


class FeedForward(nn.Module):
    """x + dropout(linear(gelu(linear(norm(x)))))"""

    def __init__(self, size, inner, dropout):
        super().__init__()
        self.body = nn.Sequential(
            nn.LayerNorm(size), nn.Linear(size, inner), nn.GELU(), nn.Linear(inner, size), nn.Dropout(dropout)
        )

    def forward(self, x):
        return x + self.body(x)


class Transformer(nn.Module):
    """A small encoder: each element to `size` features plus a vector for its place, layers, norm, mean, classes."""

    def __init__(self, length, inputs, classes, size=64, heads=4, layers=2, expansion=4, dropout=0.1):
        super().__init__()
        self.embedding, self.places = nn.Linear(inputs, size), nn.Parameter(0.02 * torch.randn(length, size))
        parts = [(Attention(size, heads, dropout), FeedForward(size, expansion * size, dropout)) for _ in range(layers)]
        self.layers = nn.Sequential(*(part for layer in parts for part in layer), nn.LayerNorm(size))
        self.head = nn.Linear(size, classes)

    def forward(self, x):
        return self.head(self.layers(self.embedding(x) + self.places).mean(1))


NETS = {
    "tab32": lambda: mlp((16, 64, 64, 3)),
    "mlp128": lambda: mlp((784, 512, 256, 10)),
    "mlpbn128": lambda: mlp((784, 512, 256, 10), batch_norm=True, dropout=0.3),
    "lenet64": lenet,
    "cnn64": cnn,
    "resnet18_64": resnet18,
    "lstm64": lambda: Lstm(28, 128, 10),
    "transformer64": lambda: Transformer(28, 28, 10),
}


def single(workload):
    """One row of random numbers for a workload's network."""
    shape, _ = WORKLOADS[workload]
    x = torch.randn((1, *shape[1:]))
    return x.permute(0, 3, 1, 2).contiguous() if len(shape) == 4 else x
