"""Manifest Action: join per-architecture images into one multi-arch image, from any CI."""

__version__ = "0.1.0"
