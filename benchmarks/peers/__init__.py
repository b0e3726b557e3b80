"""The benchmark of peers: backends of other libraries, each setting of a Ray variant ablated, a report of its own.

A user's own folder: `PYTHONPATH=benchmarks raybench run --conf benchmarks/peers/conf study=peers`, or `nox -s peers`.
"""
