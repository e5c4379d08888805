"""`docker://`: registries that speak the OCI distribution protocol."""
