"""The wall: raw lines, the plan and the environment of a run on disk."""
