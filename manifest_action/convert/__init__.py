"""Turning manifests of one kind into another: bytes and values in, bytes and values out; no input or output."""
