"""What `up` would do: each wanted resource, what is there, what follows, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chiops.errors import ChiopsError, CloudError
from chiops.lab.places import Places
from chiops.lab.spec import LabSpec
from chiops.lab.wanted import Item, Key, items
from chiops.resources.kind import Op, Verdict, Workbench

QUIET = (Op.KEEP, Op.USE)


@dataclass(frozen=True)
class Step:
    """One resource of the plan."""

    item: Item
    site: str
    verdict: Verdict

    @property
    def key(self) -> Key:
        return self.item.key

    @property
    def changes(self) -> bool:
        return self.verdict.op not in QUIET

    def row(self) -> dict[str, str]:
        """The step as people and JSON see it."""
        return {
            "op": self.verdict.op.value,
            "kind": self.item.kind.noun,
            "name": self.key.name,
            "site": self.site,
            "reason": self.verdict.reason,
        }


@dataclass(frozen=True)
class Plan:
    """Every step, in an order in which each comes after what it needs."""

    lab: str
    steps: tuple[Step, ...]
    benches: Mapping[str, Workbench]

    @property
    def changes(self) -> list[Step]:
        return [step for step in self.steps if step.changes]


def make_plan(spec: LabSpec, places: Places, public_key: str) -> Plan:
    """Observe the sites and judge every wanted resource.

    Raises:
        CloudError: what can't be had, all of it in one message: unknown flavors, names that others hold, broken policy.
    """
    benches = places.observe(public_key)
    steps: dict[Key, Step] = {}
    problems: list[CloudError] = []
    for item in items(spec, places.compute_facts):
        site = places.site_of(item.key.kind)
        try:
            verdict = item.kind.judge(item.wanted, benches[site])
        except CloudError as problem:
            problems.append(problem)
            continue
        needed = [steps[need].verdict.op for need in item.needs if need in steps]
        steps[item.key] = Step(item, site, _follow(item, verdict, needed))
    if problems:
        raise _together(problems)
    return Plan(spec.name, tuple(steps.values()), benches)


def _follow(item: Item, verdict: Verdict, needed: list[Op]) -> Verdict:
    """A replaced server takes its address and attachments with it, a replaced lease its servers."""
    if verdict.op is not Op.KEEP or Op.REPLACE not in needed:
        return verdict
    if item.key.kind == "server":
        return replace(verdict, op=Op.REPLACE, reason="its lease or key is replaced")
    return Verdict(Op.CREATE, "its server is replaced")


def _together(problems: list[CloudError]) -> ChiopsError:
    if len(problems) == 1:
        return problems[0]
    what = "; ".join(problem.what for problem in problems)
    return type(problems[0])(what, todo=problems[0].todo)
