"""chiops: provision, configure and benchmark storage labs on Chameleon Cloud, or on this machine."""

__version__ = "0.1.0"
