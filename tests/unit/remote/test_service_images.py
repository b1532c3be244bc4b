"""Images of services: pulled or built, by what the site says."""

from __future__ import annotations

import pytest

from chiops import assets
from chiops.errors import UsageError
from chiops.remote.service_images import PULLED, recipes, service_image

NO_REGISTRY = {"bench_base_image": "base:1", "bench_base_archive": "/base.tar"}


@pytest.mark.parametrize("name", sorted(PULLED))
def test_it_is_pulled_where_a_registry_answers_and_built_elsewhere(name: str) -> None:
    pulled, built = service_image(name, {}), service_image(name, NO_REGISTRY)
    assert (pulled.tag, pulled.recipe) == (PULLED[name], "")
    assert built.tag.startswith(f"chiops-{name}:")
    assert built.recipe == name


def test_a_site_may_name_its_own() -> None:
    settings = {**NO_REGISTRY, "images": {"jupyter": "mirror/jupyter:5"}}
    assert service_image("jupyter", settings).tag == "mirror/jupyter:5"
    assert service_image("postgres", settings).recipe == "postgres"


def test_the_name_follows_the_base_image() -> None:
    assert service_image("mlflow", {}).tag != service_image("mlflow", {"bench_base_image": "other"}).tag


def test_an_unknown_image_is_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"Did you mean 'jupyter'\?"):
        service_image("jupiter", {})


@pytest.mark.parametrize("name", recipes())
def test_every_recipe_pins_what_it_asks_for(name: str) -> None:
    folder = assets.templates() / "docker" / name

    def pins(file: str) -> dict[str, str]:
        lines = (line for line in (folder / file).read_text().splitlines() if line and not line.startswith("#"))
        return dict(line.split("==") for line in lines)

    assert pins("requirements.txt").items() <= pins("constraints.txt").items()
    assert "--no-index" in (folder / "Dockerfile").read_text()
