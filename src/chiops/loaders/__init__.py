"""Input pipelines and their stopwatch, as run inside the benchmark container: ``python -m loaders``.

Stands alone: nothing of chiops is imported, so that the image needs only this folder and the libraries under test.
torch, torchvision and litdata are imported where a pipeline is opened and nowhere else; recorder and metrics need only
Python.
"""
