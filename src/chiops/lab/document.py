"""YAML with the line of every key, so that a mistake in a lab file can be pointed at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from chiops.errors import LabFileError

Loc = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """Plain data, and for each path of keys into it the 1-based line where it stands."""

    data: object
    lines: dict[Loc, int]

    def line(self, loc: Loc) -> int | None:
        """The line of ``loc`` or of its nearest parent that is in the document."""
        for end in range(len(loc), -1, -1):
            if loc[:end] in self.lines:
                return self.lines[loc[:end]]
        return None


class _Loader(yaml.SafeLoader):
    """Safe, and strict about keys that stand twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a plain word", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def read_documents(text: str, source: str) -> list[Document]:
    """All YAML documents of ``text``.

    Raises:
        LabFileError: not YAML; with ``source`` and line.
    """
    try:
        loader = _Loader(text)
        documents = []
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                break
            lines = dict(_walk(node, ()))
            documents.append(Document(loader.construct_document(node), lines))
        return documents
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}, line {mark.line + 1}" if mark else source
        raise LabFileError(f"{where}: this is not valid YAML", why=str(error.problem or error.context)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise LabFileError(f"{source}: this is not valid YAML", why=" ".join(str(error).split())) from error


def _walk(node: yaml.Node, loc: Loc) -> Iterator[tuple[Loc, int]]:
    yield loc, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*loc, str(key.value))
            yield from _walk(value, inner)
            yield inner, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _walk(value, (*loc, index))
