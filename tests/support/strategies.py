"""Hypothesis strategies for the values of the image world, drawn from the specifications' own rules."""

from hypothesis import strategies as st

from manifest_action.model.descriptor import MAX_SIZE, Descriptor
from manifest_action.model.digest import Digest
from manifest_action.model.platform import Platform
from manifest_action.model.reference import DOCKER, Reference, Repository

WORDS = st.from_regex(r"[A-Za-z0-9._-]{1,12}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TAGS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", fullmatch=True)
HOSTS = st.sampled_from(
    ["docker.io", "ghcr.io", "localhost", "127.0.0.1:5000", "[::1]:5000", "registry.example.com:443", "a-b.c"]
)
NAMES = st.lists(
    st.from_regex(r"[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}", fullmatch=True), min_size=2, max_size=4
).map("/".join)
DIGESTS = st.one_of(
    st.binary(max_size=8).map(Digest.of), st.binary(max_size=8).map(lambda content: Digest.of(content, "sha512"))
)
REPOSITORIES = st.builds(Repository, st.just(DOCKER), HOSTS, NAMES)
REFERENCES = st.builds(Reference, REPOSITORIES, st.just("") | TAGS, st.none() | DIGESTS)
LAYOUT_REFERENCES = st.builds(
    Reference,
    st.builds(
        Repository,
        st.just("oci"),
        st.just(""),
        st.from_regex(r"(\.\./|/)?([A-Za-z0-9_][A-Za-z0-9_. -]{0,8}/){0,3}[A-Za-z0-9_. -]{1,20}[a-z]", fullmatch=True),
    ),
    st.just("") | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,20}", fullmatch=True),
    st.none() | DIGESTS,
)
PLATFORMS = st.builds(
    Platform,
    st.sampled_from(["linux", "windows", "darwin", "unknown"]),
    st.sampled_from(["amd64", "arm64", "arm", "s390x", "unknown"]),
    st.sampled_from(["", "v6", "v7", "v8", "v2"]),
    st.just("") | st.just("10.0.17763.1"),
    st.lists(WORDS, max_size=2).map(tuple),
    st.lists(WORDS, max_size=2).map(tuple),
)
DESCRIPTORS = st.builds(
    Descriptor,
    st.sampled_from(
        [
            "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.example+json",
        ]
    ),
    DIGESTS,
    st.integers(0, MAX_SIZE),
    st.none() | PLATFORMS,
    st.dictionaries(TEXTS, TEXTS, max_size=3),
    st.just("") | st.just("application/vnd.example.report"),
    st.lists(TEXTS, max_size=2).map(tuple),
    st.just("") | st.just("e30="),
)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
JSON_OBJECTS = st.dictionaries(TEXTS, JSON_VALUES, max_size=4)
