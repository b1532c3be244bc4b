"""What `up` would do: each wanted resource, what is there, what follows, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from chiops.errors import CloudError, Conflict, UsageError
from chiops.lab.places import Places
from chiops.lab.spec import LabSpec
from chiops.lab.strays import Stray, strays
from chiops.lab.wanted import KINDS, Item, Key, items
from chiops.names import suggestion
from chiops.resources.kind import Difference, Op, Verdict, Workbench
from chiops.resources.server import lost_with

QUIET = (Op.KEEP, Op.USE)


@dataclass(frozen=True)
class Step:
    """One resource of the plan."""

    item: Item
    site: str
    verdict: Verdict
    allowed: bool = True
    """Whether it loses no data, or the person has said that it may."""

    @property
    def key(self) -> Key:
        return self.item.key

    @property
    def changes(self) -> bool:
        return self.verdict.op not in QUIET

    def row(self) -> dict[str, str]:
        """The step as people and JSON see it."""
        held = "" if self.allowed else f"; {self.verdict.loses} would be lost, so only with --replace {self.key.name}"
        return {
            "op": self.verdict.op.value,
            "kind": self.item.kind.noun,
            "name": self.key.name,
            "site": self.site,
            "reason": self.verdict.reason + held,
        }


@dataclass(frozen=True)
class Plan:
    """Every step, in an order in which each comes after what it needs."""

    lab: str
    steps: tuple[Step, ...]
    benches: Mapping[str, Workbench]
    problems: Mapping[Key, CloudError] = field(default_factory=dict)
    """What can't be had, and why."""
    strays: tuple[Stray, ...] = ()
    """What is the lab's and not in its file. No step: `up` leaves it where it is."""

    @property
    def changes(self) -> list[Step]:
        return [step for step in self.steps if step.changes]

    def require_possible(self) -> None:
        """Raises `CloudError`, all in one message, if anything can't be had: unknown flavors, names of others, broken policy."""
        problems = list(self.problems.values())
        if problems:
            what = "; ".join(problem.what for problem in problems)
            raise problems[0] if len(problems) == 1 else type(problems[0])(what, todo=problems[0].todo)

    def require_allowed(self) -> None:
        """Raises `Conflict` if a step would lose data and nobody has said that it may."""
        held = [step for step in self.steps if not step.allowed]
        if held:
            raise Conflict(
                "; ".join(f"the {step.item.kind.noun} {step.key.name} has to be replaced" for step in held),
                why="; ".join(f"{step.verdict.reason}, and {step.verdict.loses} would be lost" for step in held),
                todo=f"save what is worth it, then add {' '.join(f'--replace {step.key.name}' for step in held)}",
            )

    def drift(self) -> list[Drift]:
        """What is not as the lab says, field by field; `up` mends what ``mend`` is set for."""
        found = []
        for step in self.steps:
            verdict, noun = step.verdict, step.item.kind.noun
            differs = verdict.differs
            if not differs and step.changes:
                there = "missing" if verdict.op is Op.CREATE else verdict.reason
                differs = (Difference("state", there, "there"),)
            mend = step.changes and step.allowed
            found += [Drift(noun, step.key.name, one.field, one.has, one.wants, mend) for one in differs]
        for key, problem in self.problems.items():
            found.append(Drift(KINDS[key.kind].noun, key.name, "state", problem.what, "possible", mend=False))
        return found


@dataclass(frozen=True)
class Drift:
    """One field of a resource that is not as the lab says; ``mend`` is whether `up` puts it right by itself."""

    kind: str
    name: str
    field: str
    has: str
    wants: str
    mend: bool

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {Difference(self.field, self.has, self.wants)}"


def make_plan(spec: LabSpec, places: Places, public_key: str, replace_: Collection[str] = ()) -> Plan:
    """Observe the sites and judge every wanted resource.

    Raises:
        CloudError: what can't be had, see `Plan.require_possible`.
        UsageError: ``replace_`` names what the lab has not.
    """
    plan = judge(spec, places, places.observe(public_key), replace_)
    plan.require_possible()
    return plan


def judge(spec: LabSpec, places: Places, benches: Mapping[str, Workbench], replace_: Collection[str] = ()) -> Plan:
    """Judge every wanted resource by what was seen; what can't be had is among the plan's problems.

    Args:
        spec: the lab.
        places: its sites.
        benches: what was seen of them.
        replace_: servers and leases that may be replaced although data is lost with them.
    """
    steps: dict[Key, Step] = {}
    problems: dict[Key, CloudError] = {}
    wanted = items(spec, places.compute_facts)
    _check_names(replace_, [item.key.name for item in wanted if item.key.kind in ("server", "lease")])
    for item in wanted:
        site = places.site_of(item.key.kind)
        try:
            verdict = item.kind.judge(item.wanted, benches[site])
        except CloudError as problem:
            problems[item.key] = problem
            continue
        needed = [steps[need].verdict.op for need in item.needs if need in steps]
        steps[item.key] = _step(item, site, _follow(item, verdict, needed, benches[site]), replace_)
    unwanted = strays([item.key for item in wanted], places, benches)
    return Plan(spec.name, tuple(steps.values()), benches, problems, unwanted)


def _step(item: Item, site: str, verdict: Verdict, replace_: Collection[str]) -> Step:
    named = item.key.kind in ("server", "lease") and item.key.name in replace_
    if named and verdict.op is Op.KEEP and verdict.differs:
        told = "; ".join(str(difference) for difference in verdict.differs)
        verdict = replace(verdict, op=Op.REPLACE, reason=told)
    return Step(item, site, verdict, allowed=named or verdict.op is not Op.REPLACE or not verdict.loses)


def _follow(item: Item, verdict: Verdict, needed: list[Op], bench: Workbench) -> Verdict:
    """A replaced server takes its address and attachments with it, a replaced lease its servers."""
    if verdict.op not in (Op.KEEP, Op.UPDATE, Op.USE) or Op.REPLACE not in needed:
        return verdict
    if item.key.kind == "server":
        lost = lost_with(item.wanted, verdict.found, bench)
        return replace(verdict, op=Op.REPLACE, reason="its lease or key is replaced", loses=lost)
    if item.key.kind in ("floating_ip", "attachment"):
        return Verdict(Op.CREATE, "its server is replaced")
    return verdict


def _check_names(named: Collection[str], known: list[str]) -> None:
    for name in named:
        if name not in known:
            raise UsageError(f"the lab has no server or lease {name!r} to replace", todo=suggestion(name, known))
