"""Programs that others wrote, which read what this one has written."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.npm import modules, node
from tests.support.servers import ROOT, MissingProgram, Registry, find_program

_MODULES = modules("verify-bundle")


@dataclass(frozen=True)
class Peer:
    """A program with a home folder of its own, so that it sees no login but those given to `login`."""

    program: Path
    home: Path

    def login(self, registry: Registry) -> None:
        """Let the program know the registry's one user, as after a login."""
        registry.write_login(self.home)

    def __call__(self, *arguments: str | Path, trust: Path | None = None) -> bytes:
        """Run it and return its standard output; AssertionError with what it said when it fails.

        trust: a PEM file of authorities to trust for TLS
        """
        result = self.run(*arguments, trust=trust)
        assert result.returncode == 0, f"{self.program.name} {arguments}: {result.stderr.decode(errors='replace')}"
        return result.stdout

    def run(self, *arguments: str | Path, trust: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run it, whatever comes of it."""
        return subprocess.run(
            [self.program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
            env=self._environment(trust),
            cwd=self.home,
        )

    def _environment(self, trust: Path | None) -> Mapping[str, str]:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "DOCKER_CONFIG": str(self.home),
            "REGISTRY_AUTH_FILE": str(self.home / "config.json"),
        }
        return environment | ({"SSL_CERT_FILE": str(trust)} if trust else {})


_NO_ROOT = """\
{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","tlogs":[],"certificateAuthorities":[],\
"ctlogs":[],"timestampAuthorities":[]}
"""
_NO_LOG = '{"mediaType":"application/vnd.dev.sigstore.signingconfig.v0.2+json","rekorTlogConfig":{},"tsaConfig":{}}'


@dataclass(frozen=True)
class Cosign(Peer):
    """cosign with keys only: no public log, no certificates, no network but the registry.

    variables: what else is in its environment
    """

    passphrase: str
    variables: Mapping[str, str] = field(default_factory=dict)

    def verifies(self, reference: str, key: Path, *, bundle: bool) -> bool:
        """Whether it accepts what a reference leads to; with `bundle` by a bundle, else by a `.sig` tag."""
        root = self.home / "trusted_root.json"
        root.write_text(_NO_ROOT)
        form = ("--new-bundle-format=true", "--trusted-root", root) if bundle else ("--new-bundle-format=false",)
        options = ("--insecure-ignore-tlog=true", "--allow-http-registry", *form)
        return self.run("verify", "--key", key, *options, reference).returncode == 0

    def sign(self, reference: str, key: Path, *, bundle: bool) -> None:
        """Sign what a reference leads to and everything that it lists; `bundle` takes version 3."""
        config = self.home / "signing_config.json"
        config.write_text(_NO_LOG)
        form = ("--signing-config", config) if bundle else ("--tlog-upload=false",)
        self("sign", "--recursive", "--yes", "--key", key, "--allow-http-registry", *form, reference)

    def verifies_identity(self, reference: str, identity: str, issuer: str, root: Path) -> bool:
        """Whether it accepts what a reference leads to by a bundle of somebody who a trusted root may certify."""
        whose = ("--certificate-identity", identity, "--certificate-oidc-issuer", issuer)
        options = ("--new-bundle-format=true", "--trusted-root", root, "--allow-http-registry", *whose)
        return self.run("verify", *options, reference).returncode == 0

    def sign_as(self, reference: str, token: Path, folder: Path) -> None:
        """Sign what a reference leads to and everything that it lists, by version 3, as a token says.

        folder: has trusted_root.json and signing_config.json
        """
        trust = ("--trusted-root", folder / "trusted_root.json", "--signing-config", folder / "signing_config.json")
        options = ("--recursive", "--yes", "--allow-http-registry", *trust, "--identity-token", token)
        self("sign", *options, reference)

    def _environment(self, trust: Path | None) -> Mapping[str, str]:
        return {**super()._environment(trust), "COSIGN_PASSWORD": self.passphrase, **self.variables}


@dataclass(frozen=True)
class ImageCopy(Peer):
    """containers/image, the library of skopeo and Podman, with sigstore."""

    def allows(self, reference: str, policy: object) -> bool:
        """Whether a policy lets it copy what is at a registry, every instance; it looks for `.sig` tags."""
        files = [self.home / name for name in ("policy.json", "registries.d")]
        files[0].write_text(json.dumps(policy))
        files[1].mkdir(exist_ok=True)
        (files[1] / "all.yaml").write_text("default-docker: {use-sigstore-attachments: true}")
        target = self.home / "copy"
        shutil.rmtree(target, ignore_errors=True)
        return self.run(*files, f"docker://{reference}", f"dir:{target}").returncode == 0


@dataclass(frozen=True)
class BundleVerifier(Peer):
    """npm's @sigstore/verify, in Node.js."""

    def verifies(self, bundle: Mapping[str, object], digest: str, key: Path) -> bool:
        """Whether a bundle is good for a digest by a key."""
        return self._verifies(bundle, digest, "key", key)

    def verifies_identity(
        self, bundle: Mapping[str, object], digest: str, identity: str, issuer: str, root: Path
    ) -> bool:
        """Whether a bundle is good for a digest by somebody who a trusted root may certify."""
        return self._verifies(bundle, digest, "root", root, identity, issuer)

    def _verifies(self, bundle: Mapping[str, object], digest: str, *trust: str | Path) -> bool:
        file = self.home / "bundle.json"
        file.write_text(json.dumps(bundle))
        script = ROOT / "tests" / "peers" / "verify-bundle" / "verify.js"
        return self.run(script, file, digest.removeprefix("sha256:"), *trust).returncode == 0

    def _environment(self, trust: Path | None) -> Mapping[str, str]:
        return {**super()._environment(trust), "NODE_PATH": str(_MODULES)}


_CONTAINERS_CONF = """\
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
"""


@dataclass(frozen=True)
class Podman(Peer):
    """podman with a storage of its own in its home; it runs no container here."""

    def run(self, *arguments: str | Path, trust: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run it, whatever comes of it."""
        return super().run(*self._storage(), *arguments, trust=trust)

    def start(self, *arguments: str | Path) -> "subprocess.Popen[bytes]":
        """Start it and do not wait; what it says is not kept."""
        return subprocess.Popen(
            [self.program, *self._storage(), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment(None),
            cwd=self.home,
        )

    @contextmanager
    def serving(self, path: Path) -> Iterator[str]:
        """Its engine on a socket at `path` until the block ends; gives what DOCKER_HOST has to be."""
        with self.start("system", "service", "--time", "0", f"unix://{path}") as service:
            try:
                _await(path)
                yield f"unix://{path}"
            finally:
                service.terminate()

    def _storage(self) -> Sequence[str | Path]:
        (self.home / "containers.conf").write_text(_CONTAINERS_CONF)
        return ("--root", self.home / "root", "--runroot", self.home / "runroot", "--storage-driver", "vfs")

    def stored_list(self, identifier: str) -> bytes:
        """The bytes of a manifest list in its storage, by the identifier that `manifest create` prints."""
        return (self.home / "root" / "vfs-images" / identifier / "manifest").read_bytes()

    def _environment(self, trust: Path | None) -> Mapping[str, str]:
        own = {"CONTAINERS_CONF": str(self.home / "containers.conf"), "XDG_RUNTIME_DIR": str(self.home)}
        return {**super()._environment(trust), **own}


def _await(path: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket(socket.AF_UNIX) as attempt:
            if path.exists() and attempt.connect_ex(str(path)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the service did not start")


def find_podman(home: Path) -> Podman:
    """podman, MissingProgram when it is not on this machine."""
    found = find_peer("podman", home)
    return Podman(found.program, found.home)


def find_cosign(name: str, home: Path, passphrase: str) -> Cosign:
    """`cosign` is version 3, `cosign2` version 2; MissingProgram when it is not on this machine."""
    found = find_peer(name, home)
    return Cosign(found.program, found.home, passphrase)


def find_imagecopy(home: Path) -> ImageCopy:
    """containers/image, MissingProgram when it is not on this machine."""
    found = find_peer("imagecopy", home)
    return ImageCopy(found.program, found.home)


def find_bundle_verifier(home: Path) -> BundleVerifier:
    """npm's verifier, MissingProgram when it is not on this machine."""
    if not (_MODULES / "@sigstore" / "verify").is_dir():
        raise MissingProgram("npm-sigstore-verify")
    return BundleVerifier(node(), home)


def find_peer(name: str, home: Path) -> Peer:
    """The peer of that name, MissingProgram when it is not on this machine."""
    program = find_program(name)
    (home / "config.json").write_text("{}")
    return Peer(program, home)
