"""The workloads: one file a family; `conf/workload/*.yaml` is the list."""
