from __future__ import annotations

import pytest

from chiops.bench import emulation, report
from chiops.errors import UsageError
from tests.unit.bench import runs


@pytest.mark.parametrize(
    ("wish", "batch", "expected"), [("", 32, 0), ("h100", 400, 0.224), ("A100", 100, 0.435 / 4), ("0.5", 32, 0.5)]
)
def test_an_accelerator_is_scaled_to_the_batch_and_seconds_are_not(wish: str, batch: int, expected: float) -> None:
    assert emulation.seconds(wish, batch) == pytest.approx(expected)


@pytest.mark.parametrize("wish", ["tpu", "-0.1", "nan", "inf", "1h"])
def test_anything_else_is_refused(wish: str) -> None:
    with pytest.raises(UsageError, match="no accelerator"):
        emulation.seconds(wish, 32)


def test_the_verdict_says_who_keeps_it_busy() -> None:
    def with_share(*shares: float) -> str:
        arms = [
            runs.arm(name, "cold", 200, extra={"accelerator_utilisation": share})
            for name, share in zip(("litdata", "mds"), shares, strict=True)
        ]
        run = runs.run(extra=arms)
        return report.verdict(run.model_copy(update={"options": run.options | {"emulate": "h100"}}))

    assert (
        "Of 2 rows 1 keep the emulated accelerator (h100) busy for 90% of the time, best mds, cold (95%)."
        in with_share(0.5, 0.95)
    )
    assert "None keeps" in with_share(0.5, 0.6)
