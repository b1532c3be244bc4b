from __future__ import annotations

import pytest

from benchmarks.loading.arms import CEILING, FAR_MS, LAB, LOCAL, STREAM, VANILLA, Arm, Metrics, arms, claims, table


def measured(**speeds: float) -> dict[Arm, list[Metrics]]:
    """Every arm at 100 images/s but those named: ``stream_far``, ``vanilla_far``, ``lab_far``, ``ceiling``, ``local_*``."""
    named = {
        "ceiling": Arm(CEILING),
        "stream_far": Arm(STREAM, FAR_MS),
        "vanilla_far": Arm(VANILLA, FAR_MS),
        "lab_far": Arm(LAB, FAR_MS),
        **{f"local_{fetcher}": Arm(one) for fetcher, one in LOCAL.items()},
    }
    found = dict.fromkeys(arms(), 100.0) | {named[name]: speed for name, speed in speeds.items()}
    return {
        arm: [
            {
                "images_per_s": speed * share,
                "samples": 64,
                "client_requests": 64,
                "client_ratio": 1.01,
                "cpu_s_per_1000": 2.0,
            }
            for share in (0.9, 1.0, 1.1)
        ]
        for arm, speed in found.items()
    }


GOOD = {"ceiling": 500.0, "stream_far": 450.0, "vanilla_far": 45.0, "lab_far": 22.0, "local_vanilla": 480.0}


def test_claims_hold_where_the_numbers_show_them() -> None:
    assert all(claim.holds for claim in claims(measured(**GOOD)))


@pytest.mark.parametrize(
    ("changed", "place"), [({"vanilla_far": 60.0}, 0), ({"lab_far": 60.0}, 1), ({"ceiling": 600.0}, 2)]
)
def test_a_claim_that_the_numbers_do_not_show_does_not_hold(changed: dict[str, float], place: int) -> None:
    held = [claim.holds for claim in claims(measured(**GOOD | changed))]
    assert [number for number, holds in enumerate(held) if not holds] == [place]


def test_concurrency_that_wins_on_the_local_disk_is_told() -> None:
    assert not claims(measured(**GOOD, local_stream=520.0))[3].holds


def test_the_table_has_a_line_for_every_combination_and_both_distances() -> None:
    lines = table(measured(**GOOD)).splitlines()
    assert len(lines) == 2 + len({arm.combination for arm in arms()})
    (stream,) = [line for line in lines if "obstore, stream" in line]
    assert "100 (90 to 110)" in stream
    assert "450 (405 to 495) | 10.0 | 90%" in stream
