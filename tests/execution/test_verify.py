"""Verifying: every pair has an outcome, and scores that should be equal are compared."""

from dataclasses import replace

from raybench.backends.base import Resources
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
