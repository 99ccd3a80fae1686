"""The parts of setup.py: reading the manifest, the cache, fetching packages, and what to do in which order."""
