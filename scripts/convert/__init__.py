"""Turns weights as registry packages carry them into ONNX files, with the standard library alone.

Every converter is a function `convert(source: bytes) -> bytes` that gives the same bytes on every machine
and Python version: the manifest names the hash of the result, and setup refuses anything else.
"""
