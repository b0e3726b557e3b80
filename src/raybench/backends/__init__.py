"""The backends: one file each; `conf/backend/*.yaml` is the list of them."""
