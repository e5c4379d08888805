"""Which certificate authorities vouch for a registry."""

import ssl
from functools import cached_property
from pathlib import Path
from threading import Lock

from manifest_action.errors import ConfigError, Problem
from manifest_action.transport.registry.options import RegistryOptions
from manifest_action.transport.registry.tls import TlsContext


class Trust:
    """TLS settings for one run, made when they are first needed (reading the system's authorities takes a while).

    The system's authorities count, or instead of them those of SSL_CERT_FILE, REQUESTS_CA_BUNDLE or SSL_CERT_DIR;
    and beside them those of `options.ca_certificates`.
    """

    def __init__(self, options: RegistryOptions) -> None:
        self._options = options
        self._lock = Lock()

    def context(self, *, verified: bool) -> ssl.SSLContext:
        """How to speak TLS. ConfigError when a file of certificates cannot be read."""
        with self._lock:
            return self._verified if verified else self._unverified

    @cached_property
    def _verified(self) -> ssl.SSLContext:
        environment = self._options.environment
        file = environment.get("SSL_CERT_FILE") or environment.get("REQUESTS_CA_BUNDLE")
        folder = environment.get("SSL_CERT_DIR")
        context = _context()
        if file or folder:
            name = "SSL_CERT_FILE or REQUESTS_CA_BUNDLE" if file else "SSL_CERT_DIR"
            _load(context, file, folder, name)
        else:
            context.load_default_certs()
        if self._options.ca_certificates:
            _load(context, self._options.ca_certificates, None, "ca-certificates")
        return context

    @cached_property
    def _unverified(self) -> ssl.SSLContext:
        context = _context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def _context() -> ssl.SSLContext:
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(context: ssl.SSLContext, file: str | None, folder: str | None, name: str) -> None:
    """Add authorities from a PEM file (REQUESTS_CA_BUNDLE may name a folder, too) or a folder of hashed names."""
    if file and Path(file).is_dir():
        file, folder = None, file
    try:
        context.load_verify_locations(file, folder)
    except OSError as error:
        why = error.strerror or "it holds no certificates in PEM"
        problem = f"the certificate authorities in {file or folder} cannot be read: {why}"
        raise ConfigError([Problem(problem, path=name)]) from None
