"""Documented sentences put to the test: YAML in (`reading`), numbers (`quantities`), verdicts out (`judge`)."""
