"""Datasets from their source to a bucket: extract, transform, load. Runs inside the benchmark container as ``python -m etl``.

Imports nothing else of chiops: the container image carries this package alone, as the top-level package ``etl``. The
configuration comes as one JSON document on stdin (`config`), events go out as JSON lines on stdout (`protocol`).
"""
