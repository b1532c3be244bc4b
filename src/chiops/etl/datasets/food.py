"""How Food-11, and what is shaped like it, lies in a tree: ``training/class_03/3_12.jpg``, which is label 3, number 12."""

from __future__ import annotations

ROOT = "Food-11"

CLASSES = (
    "Bread", "Dairy product", "Dessert", "Egg", "Fried food", "Meat",
    "Noodles/Pasta", "Rice", "Seafood", "Soup", "Vegetable/Fruit",
)  # fmt: skip
"""What the classes are; the index is the label."""


def place(split: str, label: int, number: int) -> str:
    """Where an image lies in the tree."""
    return f"{split}/class_{label:02d}/{label}_{number}.jpg"
