"""References: what people write, what it means, and what is refused."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.model.digest import Digest
from manifest_action.model.reference import TRANSPORTS, Reference, Repository, is_tag, parse_reference, parse_repository
from tests.support.strategies import LAYOUT_REFERENCES, REFERENCES, TAGS

DIGEST = Digest.of(b"x")
IMAGE_ID = DIGEST.encoded
STORE = "[vfs@/srv/root+/run/x]"


@pytest.mark.parametrize(
    ("text", "registry", "name", "tag"),
    [
        ("alpine", "docker.io", "library/alpine", ""),
        ("alpine:3.20", "docker.io", "library/alpine", "3.20"),
        ("acme/app", "docker.io", "acme/app", ""),
        ("docker.io/alpine", "docker.io", "library/alpine", ""),
        ("index.docker.io/acme/app:v1", "docker.io", "acme/app", "v1"),
        ("registry-1.docker.io/alpine", "docker.io", "library/alpine", ""),
        ("ghcr.io/acme/app:1.4.2", "ghcr.io", "acme/app", "1.4.2"),
        ("GHCR.io/acme/app", "ghcr.io", "acme/app", ""),
        ("docker://ghcr.io/acme/app", "ghcr.io", "acme/app", ""),
        ("localhost/app", "localhost", "app", ""),
        ("localhost:5000/app:5000", "localhost:5000", "app", "5000"),
        ("localhost:5000", "docker.io", "library/localhost", "5000"),
        ("[::1]:5000/a/b:c", "[::1]:5000", "a/b", "c"),
        ("[2001:db8::1]/a", "[2001:db8::1]", "a", ""),
        ("a.b/c__d/e--f", "a.b", "c__d/e--f", ""),
    ],
)
def test_registry_references_mean_what_docker_means(text: str, registry: str, name: str, tag: str) -> None:
    assert parse_reference(text) == Reference(Repository("docker", registry, name), tag)


@pytest.mark.parametrize(
    ("text", "path", "name"),
    [
        ("oci:out", "out", ""),
        ("oci:./out:1.4.2", "out", "1.4.2"),
        ("oci:/srv//images/./app/:1", "/srv/images/app", "1"),
        ("oci:.:1", ".", "1"),
        ("oci:../out:1", "../out", "1"),
        ("oci:/srv/layout:ghcr.io/acme/app:1.4.2", "/srv/layout", "ghcr.io/acme/app:1.4.2"),
        ("oci:a folder/out", "a folder/out", ""),
        ("oci:out:", "out", ""),
    ],
)
def test_layout_references_are_a_path_and_a_name(text: str, path: str, name: str) -> None:
    assert parse_reference(text) == Reference(Repository("oci", "", path), name)
    assert parse_reference(f"{text}@{DIGEST}") == Reference(Repository("oci", "", path), name, DIGEST)


@pytest.mark.parametrize(
    ("text", "transport", "name", "tag"),
    [
        ("oci-archive:out.tar", "oci-archive", "out.tar", ""),
        ("oci-archive:/srv/out.tar:acme/app:1", "oci-archive", "/srv/out.tar", "acme/app:1"),
        ("oci:///srv/out", "oci", "/srv/out", ""),
        ("dir:out", "dir", "out", ""),
        ("dir:/srv/a:b@c", "dir", "/srv/a:b@c", ""),
        ("docker-archive:out.tar", "docker-archive", "out.tar", ""),
        ("docker-archive:a@b.tar:busybox", "docker-archive", "a@b.tar", "docker.io/library/busybox:latest"),
        ("docker-archive:out.tar:ghcr.io/acme/app:1", "docker-archive", "out.tar", "ghcr.io/acme/app:1"),
        ("docker-archive:out.tar:@12", "docker-archive", "out.tar", "@12"),
        ("docker-daemon:busybox", "docker-daemon", "docker.io/library/busybox", "latest"),
        ("docker-daemon:localhost:5000/app:1", "docker-daemon", "localhost:5000/app", "1"),
        (f"docker-daemon:{DIGEST}", "docker-daemon", str(DIGEST), ""),
        ("containers-storage:localhost/app", "containers-storage", "localhost/app", "latest"),
        ("containers-storage:[vfs@/srv/root+/run/x]app:1", "containers-storage", STORE + "docker.io/library/app", "1"),
        (f"containers-storage:{IMAGE_ID}", "containers-storage", IMAGE_ID, ""),
        (f"containers-storage:app@{IMAGE_ID}", "containers-storage", f"docker.io/library/app:latest@{IMAGE_ID}", ""),
        (f"containers-storage:[vfs@/srv/root+/run/x]{IMAGE_ID}", "containers-storage", STORE + IMAGE_ID, ""),
    ],
)
def test_other_transports_are_read_as_containers_transports_says(
    text: str, transport: str, name: str, tag: str
) -> None:
    assert parse_reference(text) == Reference(Repository(transport, "", name), tag)
    assert parse_reference(str(parse_reference(text))) == parse_reference(text)


@pytest.mark.parametrize("text", ["dir:out", "oci-archive:a.tar:1", "docker-archive:a.tar:@0", "docker-daemon:app:1"])
def test_every_transport_can_be_pinned(text: str) -> None:
    reference = parse_reference(text).pinned(DIGEST)
    assert parse_reference(str(reference)) == reference
    assert reference.selector == str(DIGEST)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "may not be empty"),
        (" alpine", "spaces at its ends"),
        ("alpine\n", "spaces at its ends"),
        ("al\x00pine", "control characters"),
        ("al\x7fpine", "control characters"),
        ("https://ghcr.io/acme/app", r"no https://; write ghcr\.io/acme/app"),
        ("ftp://ghcr.io/a", "unknown transport 'ftp'; known are .*docker://, oci-archive:, oci:"),
        ("alpine:", "tag ''"),
        ("alpine:-x", "tag '-x'"),
        ("alpine:" + "x" * 129, "does not fit"),
        ("alpine@sha256:0", "64 lower-case hex digits"),
        ("alpine@", "a digest looks like"),
        ("ghcr.io/", "name is missing"),
        ("ghcr.io/Acme/app", "no part of a repository name; names are lower case"),
        ("Registry/app", "no part of a repository name; if it is a host, write its port, too"),
        ("aaaaaaaarV/c", "no part of a repository name"),
        ("ghcr.io//app", "'' is no part of a repository name"),
        ("ghcr.io/../app", r"'\.\.' is no part"),
        ("ghcr.io/a___b", "no part of a repository name"),
        ("ghcr.io/a b", "no part of a repository name"),
        ("ghcr.io:0/app", "port outside 1 to 65535"),
        ("ghcr.io:65536/app", "port outside 1 to 65535"),
        ("ghcr.io:x/app", "no registry host"),
        ("ghcr..io/app", "no registry host"),
        ("-a.io/app", "no registry host"),
        ("ghcr.io./app", "no registry host"),
        ("[::1/app", "no registry host"),
        ("[::1]:0/app", "port outside"),
        ("user:secret@ghcr.io/app", "a digest looks like"),
        ("x.io/" + "a/" * 126 + "b", "over 255 characters"),
        ("oci:", "oci: needs a path"),
        ("oci::name", "oci: needs a path"),
        ("oci:out:-name", "no reference name of a layout"),
        ("oci:out@nonsense", "a digest looks like"),
        ("dir:", "dir: needs a path"),
        ("dir:out@sha256:0", "64 lower-case hex digits"),
        ("oci-archive::1", "oci-archive: needs a path"),
        ("docker-archive::app", "docker-archive: needs a path"),
        ("docker-archive:a.tar:@x", "a digest looks like"),
        ("docker-archive:a.tar:App", "names are lower case"),
        ("docker-daemon:", "name is missing"),
        ("docker-daemon:sha256:12", "64 lower-case hex digits"),
        ("containers-storage:", "name is missing"),
        ("containers-storage:[vfs@/x", "begins with"),
        (f"containers-storage:@{IMAGE_ID}", "name is missing"),
        (f"containers-storage:app@{DIGEST}@{IMAGE_ID}", "has a digest"),
    ],
)
def test_what_is_no_reference_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_reference(text)


def test_a_repository_carries_no_password() -> None:
    with pytest.raises(ValueError, match="no user name or password"):
        parse_repository("user@ghcr.io/app")


@pytest.mark.parametrize(
    "text",
    ["a" * 50 + "_.io/x", "a." * 50_000 + "_/x", "x.io/" + "a-" * 50_000, "x.io/" + "a" * 100_000, "a" * 100_000],
)
def test_adversarial_texts_are_refused_fast_and_briefly(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(ValueError) as caught:
        parse_reference(text)
    assert time.perf_counter() - started < 1
    assert len(str(caught.value)) < 300


def test_the_digest_decides_then_the_tag_then_latest() -> None:
    reference = parse_reference("ghcr.io/acme/app")
    layout = parse_reference("oci:out")
    assert reference.selector == "latest"
    assert reference.with_tag("v1").selector == "v1"
    assert reference.with_tag("v1").pinned(DIGEST).selector == str(DIGEST)
    assert reference.pinned(DIGEST).with_tag("v1").digest is None
    assert layout.selector == ""
    assert layout.with_tag("v1").selector == "v1"


def test_engines_and_stores_are_asked_for_a_name_before_what_it_pins() -> None:
    for text in ("docker-daemon:acme/app:1", "containers-storage:localhost/app:1"):
        assert parse_reference(text).selectors == ("1",)
        assert parse_reference(text).pinned(DIGEST).selectors == ("1", str(DIGEST))
    image_id = parse_reference(f"docker-daemon:sha256:{'0' * 64}")
    assert image_id.pinned(DIGEST).selectors == ("", str(DIGEST))
    assert parse_reference("ghcr.io/acme/app:1").pinned(DIGEST).selectors == (str(DIGEST),)
    assert parse_reference("ghcr.io/acme/app").selectors == ("latest",)


def test_paths_name_what_they_hold_and_registries_need_a_tag() -> None:
    assert parse_reference("oci:out").is_named
    assert parse_reference("ghcr.io/acme/app:v1").is_named
    assert not parse_reference("ghcr.io/acme/app").is_named
    assert not parse_reference(f"ghcr.io/acme/app@{DIGEST}").is_named


@given(REFERENCES | LAYOUT_REFERENCES)
def test_text_and_value_are_the_same_thing(reference: Reference) -> None:
    assert parse_reference(str(reference)) == reference


@given(
    st.sampled_from(["", *(f"{transport}:" for transport in sorted(TRANSPORTS))]),
    st.text(st.sampled_from("aA0.:/@[]_- \n") | st.characters(), max_size=40),
    st.sampled_from(["", f"@{DIGEST}", f"@{IMAGE_ID}"]),
)
def test_any_text_is_read_or_refused(start: str, text: str, end: str) -> None:
    try:
        reference = parse_reference(start + text + end)
    except ValueError:
        return
    assert parse_reference(str(reference)) == reference


@given(TAGS)
def test_tags_fit(tag: str) -> None:
    assert is_tag(tag)
    assert not is_tag(f"{tag}/")
    assert not is_tag(f"{tag}\n")
    assert not is_tag(f".{tag}")


def test_a_registry_that_is_named_like_a_transport_is_written_with_its_own() -> None:
    reference = parse_reference("docker://oci:5000/app:1")
    assert str(reference) == "docker://oci:5000/app:1"
    assert str(reference.repository) == "oci:5000/app"
