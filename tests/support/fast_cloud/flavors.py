"""What there is to choose from at the fast cloud."""

from __future__ import annotations

from chiops.cloud.base import Flavor, Image

FLAVORS = tuple(
    Flavor(id=f"flavor-{number}", name=name, vcpus=vcpus, ram_mib=ram, disk_gib=20)
    for number, (name, vcpus, ram) in enumerate(
        [("m1.tiny", 1, 512), ("m1.small", 1, 2048), ("m1.medium", 2, 4096), ("m1.large", 4, 8192)]
    )
)
IMAGES = (
    Image(id="image-1", name="CC-Ubuntu24.04", size_bytes=2 << 30, min_disk_gib=10),
    Image(id="image-2", name="CC-Ubuntu22.04", size_bytes=2 << 30, min_disk_gib=10),
)
