"""Backends that the study needs only for comparison; `_target_` in benchmarks/peers/conf/backend names them."""
