"""Making and checking signatures: descriptors in, bytes and where they belong out; no registry is talked to here."""
