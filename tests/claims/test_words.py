"""Words for quantities: every quantity has some, and they read well with what a claim gives."""

from raybench.claims import reading
from raybench.claims.claim import Part
from raybench.claims.quantities import QUANTITIES
from raybench.claims.words import WORDS, describe


def test_every_quantity_has_words_that_are_not_its_name():
    assert set(QUANTITIES) <= set(WORDS)


def test_what_the_claim_gives_stands_in_the_words():
    part = Part(quantity="metg_work", given={"level": 0.8}, low=0.5, high=2)
    assert describe(part) == "shortest task that keeps an efficiency of 0.8"
    ratio = Part(quantity="alternative_ratio", given={"against": ["joblib", "sequential_threads"]}, cold=True)
    assert describe(ratio) == "time of the fastest of joblib, sequential_threads / time of the cell, cold"


def test_a_name_that_differs_from_cell_to_cell_is_not_shown_as_a_pattern():
    assert describe(Part(quantity="workload_ratio", given={"against": "{workload}_value"})) == (
        "time of its counterpart / time of the workload"
    )


def test_no_claim_shows_an_underscore_of_a_quantity():
    for claim in reading.read([]):
        for part in (*claim.parts, *claim.context):
            assert "_" not in part.quantity or part.quantity not in describe(part)
