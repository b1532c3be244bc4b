"""JPEG bytes to the tensor a model eats: one transform for every pipeline."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any

# What ResNet and its kin were trained with.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
RESIZE = 256
CROP = 224
TRANSFORM = f"PIL RGB, Resize({RESIZE}), CenterCrop({CROP}), ToTensor, Normalize(ImageNet)"

_library: Any = None


@cache
def torchvision() -> ModuleType:
    """torchvision, also where its binary extension does not load.

    A wheel built for CUDA cannot load its extension beside a CPU build of torch. It then goes on without, but registering
    fake kernels for the operators ``nms`` and ``qnms`` at import fails since nobody defined them. Defining them first is
    all that datasets and transforms need. A complete torchvision defines them itself, in C++, and imports at once.
    """
    global _library
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    import torch

    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    _library = torch.library.Library("torchvision", "DEF")  # kept, since collecting it undefines the operators
    for operator in ("nms", "qnms"):
        _library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module("torchvision")


def decoder() -> Callable[[bytes], Any]:
    """A function from JPEG bytes to a float32 tensor of shape (3, 224, 224). A broken image raises what PIL raises."""
    torchvision()
    from PIL import Image
    from torchvision import transforms

    transform = transforms.Compose(
        [
            transforms.Resize(RESIZE),
            transforms.CenterCrop(CROP),
            transforms.ToTensor(),
            transforms.Normalize(_MEAN, _STD),
        ]
    )

    def decode(jpeg: bytes) -> Any:
        return transform(Image.open(io.BytesIO(jpeg)).convert("RGB"))

    return decode
