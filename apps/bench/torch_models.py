"""The networks of `tilegrad bench` in PyTorch: the same layers, sizes and parameter counts."""
from torch import nn
from torch.nn import functional as F


def conv_norm(channels_in, channels_out, kernel, stride=1):
    return [nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(channels_out)]


class Residual(nn.Module):
    """relu(body(x) + x), with a 1x1 convolution on the shortcut if the shape changes."""

    def __init__(self, body, channels_in, channels_out, stride):
        super().__init__()
        self.body = nn.Sequential(*body)
        changes = stride != 1 or channels_in != channels_out
        self.skip = nn.Sequential(*conv_norm(channels_in, channels_out, 1, stride)) if changes else nn.Identity()

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x), inplace=True)


def basic(channels_in, width, stride):
    body = [*conv_norm(channels_in, width, 3, stride), nn.ReLU(True), *conv_norm(width, width, 3)]
    return Residual(body, channels_in, width, stride), width


def bottleneck(channels_in, width, stride):
    body = [*conv_norm(channels_in, width, 1), nn.ReLU(True), *conv_norm(width, width, 3, stride), nn.ReLU(True),
            *conv_norm(width, 4 * width, 1)]
    return Residual(body, channels_in, 4 * width, stride), 4 * width


def resnet(stem, channels, block, widths, depths, classes):
    """Every stage except the first starts with stride 2."""
    layers = stem
    for stage, (width, depth) in enumerate(zip(widths, depths)):
        for i in range(depth):
            layer, channels = block(channels, width, 2 if stage > 0 and i == 0 else 1)
            layers.append(layer)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def lenet():
    return nn.Sequential(nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(7 * 7 * 64, 512), nn.ReLU(), nn.Linear(512, 10))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(),
                         nn.Linear(1024, 10))


def resnet20():
    return resnet([*conv_norm(3, 16, 3), nn.ReLU(True)], 16, basic, (16, 32, 64), (3, 3, 3), 10)


def resnet18c():
    return resnet([*conv_norm(3, 64, 3), nn.ReLU(True)], 64, basic, (64, 128, 256, 512), (2, 2, 2, 2), 10)


def resnet50():
    stem = [*conv_norm(3, 64, 7, 2), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)]
    return resnet(stem, 64, bottleneck, (64, 128, 256, 512), (3, 4, 6, 3), 1000)


# name: (constructor, shape of an image, classes)
MODELS = {
    "lenet":     (lenet,     (1, 28, 28),   10),
    "mlp":       (mlp,       (1, 28, 28),   10),
    "resnet20":  (resnet20,  (3, 32, 32),   10),
    "resnet18c": (resnet18c, (3, 32, 32),   10),
    "resnet50":  (resnet50,  (3, 224, 224), 1000),
}
