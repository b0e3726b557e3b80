"""Verifying: every pair has an outcome, and scores that should be equal are compared."""

from dataclasses import replace

from checkout import TOYS
from raybench.backends.base import Resources
from raybench.config import settings
from raybench.execution.verify import verify_all
from raybench.execution.verify_backend import Verified, disagreements, verify_backend
from raybench.model.plan import Spec, Status

GOOD = Spec(name="good", target="toys.workloads.Cubes", params={"n": 3})
WRONG = Spec(name="wrong", target="toys.workloads.Cubes", params={"n": 3, "mischief": "wrong"})
RAISES = Spec(name="raises", target="toys.workloads.Cubes", params={"n": 3, "mischief": "raises"})
LOOP = Spec(name="loop", target="toys.backends.Loop")


def test_a_failing_workload_is_named_and_the_others_go_on():
    found = list(verify_backend(LOOP, [WRONG, RAISES, GOOD], Resources(workers=1), seed=1))

    assert [(one.workload, one.status) for one in found] == [
        ("wrong", Status.FAILED),
        ("raises", Status.FAILED),
        ("good", Status.OK),
    ]
    assert "WrongAnswer" in found[0].reason
    assert "planted" in found[1].reason
    assert found[2].tasks == 3


def test_scores_beyond_the_bound_are_named_and_adaptive_backends_are_left_out():
    base = Verified(workload="w", backend="a", status=Status.OK, scores={"rmse": 1.0})
    close = replace(base, backend="b", scores={"rmse": 1.0 + 1e-12})
    off = replace(base, backend="c", scores={"rmse": 1.0 + 1e-6})
    adaptive = replace(base, backend="d", scores={"rmse": 2.0}, adaptive=True)

    (said,) = disagreements([base, close, off, adaptive])

    assert said.startswith("w: rmse is 1.000001 on c, 1.0 on a")


def test_the_sequential_baseline_is_what_others_are_compared_with():
    first = Verified(workload="w", backend="a", status=Status.OK, scores={"rmse": 2.0})
    base = replace(first, backend="z", baseline=True, scores={"rmse": 1.0})

    (said,) = disagreements([first, base])

    assert said == "w: rmse is 2.0 on a, 1.0 on z; expected equal scores"


def test_a_backend_that_does_not_start_gives_its_cause_for_every_workload():
    spec = Spec(name="boom", target="toys.backends.DoesNotStart")

    found = list(verify_backend(spec, [GOOD, WRONG], Resources(workers=1), seed=1))

    assert [(one.workload, one.reason) for one in found] == [
        ("good", "ValueError: planted boom"),
        ("wrong", "ValueError: planted boom"),
    ]


def test_a_workload_that_ends_its_process_fails_alone_and_those_after_it_are_verified():
    asked = settings.load(
        [
            "study=everything", "workloads=[noop,toy_hostile,square]", "backends=[sequential]", "cpus=[1]",
            "workload.toy_hostile.how=exits", "size=tiny",
        ],
        conf=[TOYS],
    )  # fmt: skip

    found = {one.workload: one for one in verify_all(asked)}

    assert {name: one.status for name, one in found.items()} == {
        "noop": Status.OK, "square": Status.OK, "toy_hostile": Status.FAILED,
    }  # fmt: skip
    assert found["toy_hostile"].reason.startswith("the process ended with exit code 5 and no answer")


def test_a_workload_that_never_answers_fails_at_the_cells_time_out():
    asked = settings.load(
        [
            "study=everything", "workloads=[toy_hangs,square]", "backends=[sequential]", "cpus=[1]",
            "limits.cell_timeout_s=3", "size=tiny",
        ],
        conf=[TOYS],
    )  # fmt: skip

    found = {one.workload: one for one in verify_all(asked)}

    assert found["square"].status is Status.OK, found["square"].reason
    assert found["toy_hangs"].reason.startswith("no answer within 3 s; raise limits.cell_timeout_s")
