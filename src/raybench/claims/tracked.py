"""Quantities from the check of a run's tracker (`raybench track`, `raybench promote`): counts, not times."""

from collections.abc import Iterator

from raybench.claims.selection import Sample, Selection, exactly, name_cell


def tracked_share(selection: Selection) -> Iterator[Sample]:
    """Return found / expected entries of each measured cell in the tracker, the least of their kinds."""
    check = selection.material.run.tracking
    if check is None:
        return
    counted = {one.cell: one for one in check.counted}
    for of in selection.cells:
        if of.good:
            one = counted.get(of.key)
            note = f"{one.words()} in {check.tracker}" if one else f"not in {check.tracker}"
            # without cells: whether a time is believed has nothing to do with a count
            yield Sample(about=name_cell(of.cell), estimate=exactly(one.share if one else 0.0, 1), note=note)


def promoted_loads(selection: Selection) -> Iterator[Sample]:
    """Return the share of rows that a promoted model predicts alike once it is loaded; 0 where it was not the best."""
    check = selection.material.run.tracking
    for model in check.loaded if check else ():
        if model.workload in selection.workloads and model.rows:
            share = 0.0 if model.better else model.equal / model.rows
            note = f"{model.equal} of {model.rows} rows alike; {model.better} trials with a smaller validation error"
            yield Sample(about=f"{model.uri}, version {model.version}", estimate=exactly(share, 1), note=note)
