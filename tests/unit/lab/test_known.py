"""A lab that this machine knows is no leftover, whatever name its site goes by, and whenever it came to be known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chiops.cloud import sites
from chiops.cloud.base import Bucket, Identity, Keypair, Mark, SiteFacts
from chiops.errors import Conflict, NoCredentials, UsageError
from chiops.lab import adopt, release, sweep, up
from chiops.lab.journal import Journal
from chiops.lab.known import known_at
from chiops.lab.survey import Purge
from tests.support.memory import ME, SITE, Memory
from tests.unit.lab.conftest import FACTS
from tests.unit.lab.labs import ALL, agree, bring_up, nobody, write

EVERYTHING = Purge(bucket=True, volume=True)
HER = Identity("her", "her", "p", "p")
THERE = SiteFacts(name="there", cloud="openstack", auth_url="https://there.example:5000/v3", region="R1")
PLACES = {
    one.name: one
    for one in (
        THERE,
        replace(THERE, name="alias", os_cloud="alias", auth_url="https://there.example/identity/v3"),
        replace(THERE, name="no-region", os_cloud="no-region", region=""),
        replace(THERE, name="nowhere", auth_url=""),
        replace(THERE, name="other-region", region="R2"),
        replace(THERE, name="other-cloud", auth_url="https://elsewhere.example:5000/v3"),
        replace(THERE, name="other-user"),
        replace(THERE, name="other-project"),
        replace(THERE, name="other-project-and-region", region="R2"),
        replace(THERE, name="not-mine"),
        replace(THERE, name="servers-only", auth_url="https://servers.example/v3", object_site="alias"),
        SiteFacts(name="by-entry", cloud="openstack", os_cloud="an-entry"),
        SiteFacts(name="local", cloud="local"),
    )
}
IN_Q = replace(ME, project_id="q", project_name="q")
WHO = {"other-user": HER, "other-project": IN_Q, "other-project-and-region": IN_Q}


class Away:
    """Where labs can be, each a cloud in memory of its own unless several lead to one."""

    def __init__(self) -> None:
        self.clouds: dict[str, Memory] = {}

    def site(self, name: str) -> SiteFacts:
        if name not in PLACES:
            raise UsageError(f"there is no site {name!r}")
        return PLACES[name]

    def connect(self, name: str) -> Memory:
        if name == "not-mine":
            raise NoCredentials("there are no credentials for not-mine")
        return self.clouds.setdefault(name, Memory(site=name, me=WHO.get(name, ME)))


@pytest.fixture
def away(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Away:
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text("clouds: {an-entry: {auth: {auth_url: 'https://there.example/v3'}, region_name: R1}}")
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds))
    places = Away()
    monkeypatch.setattr(sites, "site", places.site)
    monkeypatch.setattr(sites, "sites", lambda: PLACES)
    monkeypatch.setattr(sites, "connect", places.connect)
    monkeypatch.setattr(release, "_answering", lambda _: [])
    return places


def known(place: str, site: str) -> tuple[bool, frozenset[str]]:
    """Whether a lab at ``place`` counts as known at ``site``, and of which kinds something of it shows there if not."""
    Journal().remember("lab", site=place, source="lab", settings={})
    found = known_at(site, ME, Journal().labs())
    return "lab" in found.here, found.kinds_of("lab")


@pytest.mark.parametrize("place", ["there", "alias", "no-region", "nowhere", "not-mine", "servers-only", "by-entry"])
def test_a_lab_is_known_by_what_its_site_is(away: Away, place: str) -> None:
    assert known(place, "there") == (True, frozenset())


@pytest.mark.parametrize("place", ["other-cloud", "other-user", "other-project-and-region", "local", "forgotten"])
def test_another_cloud_or_user_is_another_place(away: Away, place: str) -> None:
    assert known(place, "there") == (False, frozenset())


def test_of_another_region_only_the_keys_are_known(away: Away) -> None:
    assert known("other-region", "there") == (False, {"credential"})


def test_of_another_project_only_the_key_pairs_are_known(away: Away) -> None:
    assert known("other-project", "there") == (False, {"keypair"})


def test_the_local_site_is_itself_alone(away: Away) -> None:
    assert known("local", "local") == (True, frozenset())
    assert known("there", "local") == (False, frozenset())


def test_a_lab_that_came_up_by_another_name_of_its_site_is_no_leftover(away: Away, tmp_path: Path) -> None:
    cloud = away.clouds["there"] = away.clouds["alias"] = Memory(site="alias")
    up.up(write(tmp_path), {}, "alias", agree, nobody, configured=False)
    with sweep.swept(["there"], (), EVERYTHING) as found:
        assert found.leftovers == ()
    assert cloud.count() == ALL


@pytest.mark.parametrize(("other", "kind"), [("other-region", "credential"), ("other-project", "keypair")])
def test_what_shows_elsewhere_of_a_lab_that_is_up_is_no_leftover(
    away: Away, tmp_path: Path, other: str, kind: str
) -> None:
    """All regions show keys to S3, all projects of one user key pairs."""
    for name in ("there", other):
        away.connect(name)
    things = away.clouds[other].things[kind] = away.clouds["there"].of(kind)
    up.up(write(tmp_path), {}, "there", agree, nobody, configured=False)
    assert len(things) == 1
    with sweep.swept([other], (), EVERYTHING) as found:
        assert found.leftovers == ()
    Journal().forget("lab")
    with sweep.swept([other], (), EVERYTHING) as found:
        assert [one.key.kind for one in found.leftovers[0].teardown.go] == [kind]
        Journal().remember("lab", site="there", source="lab", settings={})
        with pytest.raises(Conflict, match="known here meanwhile"):
            sweep.take(found.leftovers[0], nobody, EVERYTHING)
    assert len(things) == 1


def shown(away: Away, *names: str) -> list[tuple[str, str]]:
    """Site and kind of what a sweep of these sites shows, where each has a bucket and a key pair of the same names."""
    for name in names:
        cloud = away.connect(name)
        cloud.of("bucket")["b"] = Bucket(id="b", name="b", mark=Mark("lab", ME.user_id))
        cloud.of("keypair")["k"] = Keypair(id="k", name="k", mark=Mark("lab", ME.user_id))
    with sweep.swept(names, (), EVERYTHING) as found:
        return sorted((left.site, one.key.kind) for left in found.leftovers for one in left.teardown.go)


def test_what_two_names_of_one_place_show_is_one(away: Away) -> None:
    assert shown(away, "there", "alias", "by-entry") == [("there", "bucket"), ("there", "keypair")]


def test_buckets_of_one_name_in_two_projects_are_two_and_a_key_pair_is_one(away: Away) -> None:
    """A store has the names of each project apart; Nova has the key pairs of a user once."""
    expected = [("other-project", "bucket"), ("there", "bucket"), ("there", "keypair")]
    assert shown(away, "there", "other-project") == expected


def test_of_one_name_in_two_regions_all_are_two(away: Away) -> None:
    two = ("other-region", "there")
    assert shown(away, *two) == [(site, kind) for site in two for kind in ("bucket", "keypair")]


def test_key_pairs_of_one_name_of_two_users_are_two(away: Away) -> None:
    away.connect("other-user")
    hers = Keypair(id="k", name="k", mark=Mark("lab", HER.user_id))
    away.clouds["other-user"].of("keypair")["k"] = hers
    away.connect("there").of("keypair")["k"] = replace(hers, mark=Mark("lab", ME.user_id))
    with sweep.swept(["there", "other-user"], (), EVERYTHING) as found:
        assert [left.site for left in found.leftovers] == ["there", "other-user"]


def test_what_is_taken_up_while_the_question_stands_is_not_deleted(
    memory: Memory, tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "_answering", lambda _: [])
    path = write(tmp_path)
    bring_up(path)
    (state / "chiops.db").unlink()
    with sweep.swept([SITE], (), EVERYTHING) as found:
        adopt.adopt(path, {}, FACTS.name)
        with pytest.raises(Conflict, match=r"the lab lab is known here meanwhile\. Use `chiops down lab` if it is to"):
            sweep.take(found.leftovers[0], nobody, EVERYTHING)
    assert memory.count() == ALL
