"""Which split and class an image belongs to, by the folders that it lies in."""

from __future__ import annotations

from typing import Protocol

from ..errors import EtlError

SPLIT_OF = {
    "training": "training", "train": "training",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "evaluation": "evaluation", "eval": "evaluation", "test": "evaluation", "testing": "evaluation",
}  # fmt: skip
"""Names of folders that mean a split, in any case."""

_TODO = "give the folder that holds one folder per class, or training, validation and evaluation with those within"


class Arrangement(Protocol):
    """Learns from the paths of all images, then tells where each goes."""

    def learn(self, path: str) -> None:
        """Take note of an image."""

    def settle(self, where: str) -> None:
        """All images are known now; ``where`` they are from. Raises EtlError if they cannot be told apart by class."""

    def place(self, path: str) -> str:
        """``<split>/<class>/<file>``."""


class ByFolders:
    """``<class>/<file>``, or ``<split>/<class>/<file>`` if the outermost folders are splits; more folders may lie below a class.

    Args:
        split: the split of all images; the outermost folders are classes then, whatever they are called.
    """

    def __init__(self, split: str = "") -> None:
        self._split = split
        self._tops: set[str] = set()
        self._bare = ""
        self._shallow: dict[str, str] = {}
        self._by_split = False

    def learn(self, path: str) -> None:
        top, _, rest = path.partition("/")
        if not rest:
            self._bare = self._bare or path
            return
        self._tops.add(top)
        if "/" not in rest:
            self._shallow.setdefault(top, path)

    def settle(self, where: str) -> None:
        if self._bare:
            raise EtlError(f"{where} is a tree without classes", why=f"{self._bare!r} lies in no folder", todo=_TODO)
        if not self._tops:
            raise EtlError(f"{where} holds no images", why="there is no .jpg or .jpeg below it", todo=_TODO)
        if self._split:
            return
        splits = sorted(top for top in self._tops if top.lower() in SPLIT_OF)
        if not splits:
            return
        if others := sorted(self._tops - set(splits)):
            raise EtlError(
                f"{where} has folders of splits ({splits[0]}) beside others ({others[0]})",
                todo="move one kind elsewhere, or say with --split that all are classes of one split",
            )
        for top in splits:
            if path := self._shallow.get(top):
                why = f"{path!r} lies in no class's folder"
                raise EtlError(f"{where} is a tree without classes", why=why, todo=_TODO)
        if len({SPLIT_OF[top.lower()] for top in splits}) < len(splits):
            why = ", ".join(splits)
            raise EtlError(f"two folders of {where} mean the same split", why=why, todo="put them into one")
        self._by_split = True

    def place(self, path: str) -> str:
        if not self._by_split:
            return f"{self._split or 'training'}/{path}"
        top, _, rest = path.partition("/")
        return f"{SPLIT_OF[top.lower()]}/{rest}"


class ByKeys:
    """For lists of keys: the class is the folder that a key lies in, the split the one around it, if that is one's name.

    So ``imagenet/train/n01440764/1.jpg`` is of split training and class n01440764; ``imagenet/val/1.jpg``, which tells no
    class, is of class val.

    Args:
        split: the split of all images, whatever their keys say.
    """

    def __init__(self, split: str = "") -> None:
        self._split = split
        self._any = False
        self._bare = ""

    def learn(self, path: str) -> None:
        self._any = True
        if "/" not in path:
            self._bare = self._bare or path

    def settle(self, where: str) -> None:
        if self._bare:
            why = f"the key {self._bare!r} has no folder"
            raise EtlError(f"{where} lists images without classes", why=why, todo="list keys such as cats/1.jpg")
        if not self._any:
            raise EtlError(f"{where} lists no images", todo="make one with `chiops data index PREFIX`")

    def place(self, path: str) -> str:
        *folders, name, file = path.split("/")
        around = folders[-1].lower() if folders else ""
        return f"{self._split or SPLIT_OF.get(around, 'training')}/{name}/{file}"
