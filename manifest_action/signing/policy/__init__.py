"""Signature policies, containers-policy.json(5): what is asked of an image before its content may be used."""
