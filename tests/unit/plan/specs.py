"""Specs, right and wrong: what the reader and the schema for editors are held against."""

from dataclasses import dataclass

DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha256:" + "b" * 64


@dataclass(frozen=True)
class Bad:
    """A spec that is refused.

    problems: each as `line:column fragment`, in order, and no others
    schema:   whether an editor can know it too; None where YAML itself makes no document of it
    """

    name: str
    text: str
    problems: tuple[str, ...]
    schema: bool | None


def _bad(name: str, text: str, *problems: str, schema: bool | None) -> Bad:
    return Bad(name, text, problems, schema)


def _index(more: str) -> str:
    """A spec whose third and further lines are `more`."""
    return f"image: ghcr.io/acme/app:1\nsources: [ghcr.io/acme/app:amd64]\n{more}"


BAD = (
    # What YAML does not allow, or what we do not allow of it.
    _bad("no colon", "image: a:1\nsources\n", "2:1 neither 'key: value' nor a list item", schema=None),
    _bad("colon in plain text", "image: a: b\n", "1:9 a colon is not allowed here", schema=None),
    _bad("tab as indentation", "sources:\n\t- a\n", "2:1 a tab stands where only spaces may", schema=None),
    _bad("tab within a mapping", "a:\n  b: c\n\td: e\n", "3:1 a tab stands where only spaces may", schema=None),
    _bad("quote left open", "image: 'a:1\nsources: [b]\n", "1:8 this quote is never closed", schema=None),
    _bad("list left open", "tags: [a, b\nimage: c\n", "1:7 this list does not end well", schema=None),
    _bad("mapping left open", "platform: {os: linux\n", "1:11 this mapping does not end well", schema=None),
    _bad("text that ends early", "tags: [", "1:8 the text ends within a list or mapping", schema=None),
    _bad("odd indentation", "image: a:1\n  tags: [b]\n", "2:7 a colon is not allowed here", schema=None),
    _bad("outdented too little", "a:\n    b: 1\n  c: 2\n", "3:3 does not fit what stands above it", schema=None),
    _bad("key below a list", "- a\nb: c\n", "2:1 does not fit what stands above it", schema=None),
    _bad("list behind a key", "tags: - a\n", "1:7 a list item is not allowed here", schema=None),
    _bad("at sign", "image: @a\n", "1:8 a value cannot begin with this character", schema=None),
    _bad("backtick", "tags: [`a`]\n", "1:8 a value cannot begin with this character", schema=None),
    _bad("comma first", "tags: , a\n", "1:7 a value cannot begin with this character", schema=None),
    _bad("unknown escape", 'image: "\\q"\n', "1:8 this quoted text is not well formed", schema=None),
    _bad("text behind a quote", "image: 'a' b\n", "1:12 does not fit what stands above it", schema=None),
    _bad("text behind a bar", "annotations: |a\n  b=c\n", "1:14 may follow '|' or '>'", schema=None),
    _bad("unknown directive", "%YAML 3.0\n---\nimage: a\n", "1:1 this directive is not known", schema=None),
    _bad("text behind the end", "image: a\n...\nb\n", "3:1 text follows the end of a document", schema=None),
    _bad("anchor without a name", "image: &\n", "1:8 anchors and aliases are not accepted", schema=None),
    _bad("tag left open", "image: !<x\n", "1:8 tags are not accepted", schema=None),
    _bad("undefined tag", "image: !x!y z\n", "1:8 tags are not accepted", schema=None),
    _bad(
        "python tag",
        _index("annotations: !!python/object/apply:os.system [a=b]\n"),
        "3:14 tags are not accepted",
        schema=None,
    ),
    _bad("text tag", _index("tags: [!!str 1.10]\n"), "3:8 tags are not accepted", schema=False),
    _bad(
        "alias bomb",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
        "1:4 anchors and aliases",
        "2:4 anchors and aliases",
        "2:8 anchors and aliases",
        "2:12 anchors and aliases",
        "3:4 anchors and aliases",
        "3:8 anchors and aliases",
        "3:12 anchors and aliases",
        schema=True,
    ),
    _bad("merge key", _index("<<: {tags: [a]}\n"), "3:1 merge keys are not accepted", schema=False),
    _bad("duplicate key", _index("image: b\n"), "3:1 key 'image' is given twice (it stands on line 1", schema=False),
    _bad("duplicate key of two spellings", _index("'image': b\n"), "3:1 key 'image' is given twice", schema=False),
    _bad("list as a key", _index("? [a]\n: b\n"), "3:3 a key must be text", schema=None),
    _bad("mapping as a key", _index("{a: b}: c\n"), "3:1 a key must be text", schema=None),
    _bad("NUL", "image: a\0b\n", "1:9 the control character U+0000 is not allowed", schema=None),
    _bad("escape sequences", "image: \x1b[31ma\n", "1:8 the control character U+001B is not allowed", schema=None),
    _bad(
        "byte order marks",
        "image: a\ntags: [\ufeffb]\nsources: [c\ufeff]\n",
        "2:8 U+FEFF",
        "3:12 U+FEFF",
        schema=None,
    ),
    _bad("UTF-16 without a mark", "i\0m\0a\0", "1:2 U+0000", "1:4 U+0000", "1:6 U+0000", schema=None),
    _bad("undecodable byte", "image: caf\udce9\n", "1:11 an undecodable byte is not allowed", schema=None),
    _bad("too large", "image: a\n" + "# filler\n" * 30000, "1:1 the text is over 256 KiB", schema=None),
    _bad("too large in bytes", "# " + "é" * 131072, "1:1 the text is over 256 KiB", schema=None),
    _bad("deep list", "tags: " + "[" * 20000, "1:22 nested more than 16 deep", schema=None),
    _bad("deep mapping", "{a: " * 17 + "}" * 17, "1:65 nested more than 16 deep", schema=None),
    # What is no spec.
    _bad("a list", "- image: a:1\n", "1:1 a spec is a mapping", schema=True),
    _bad("a text", "ghcr.io/acme/app:1\n", "1:1 a spec is a mapping", schema=True),
    _bad("empty mapping", "{}\n", "1:1 image is missing", "1:1 sources is missing", schema=False),
    # Keys.
    _bad("unknown key", _index("tagz: [a]\n"), "3:1 unknown key 'tagz' (did you mean tags?)", schema=True),
    _bad("key in capitals", _index("Tags: [a]\n"), "3:1 unknown key 'Tags' (did you mean tags?)", schema=True),
    _bad("far-off key", _index("xyzzy: 1\n"), "3:1 unknown key 'xyzzy' (known are image, tags", schema=True),
    _bad("number as a key", _index("42: 1\n"), "3:1 unknown key '42'", schema=True),
    _bad(
        "unknown key of a source",
        "image: a:1\nsources:\n  - image: b\n    platfrom: linux/amd64\n",
        "4:5 sources[0]: unknown key 'platfrom' (did you mean platform?)",
        schema=True,
    ),
    _bad(
        "unknown key of a platform",
        "image: a:1\nsources:\n  - image: b\n    platform: {os: linux, arch: arm64}\n",
        "4:27 sources[0].platform: unknown key 'arch'",
        schema=True,
    ),
    _bad(
        "both names of a key",
        _index("manifests: [b]\n"),
        "3:1 sources and manifests are two names of the same key",
        schema=True,
    ),
    _bad(
        "both names of os.version",
        "image: a:1\nsources: [{image: b, platform: {os.version: 1, osversion: 2}}]\n",
        "2:48 os.version and osversion are two names of the same key",
        schema=True,
    ),
    _bad("image missing", "sources: [a]\n", "1:1 image is missing (give image, or a full", schema=False),
    _bad("image missing, bare tags", "tags: [a]\nsources: [b]\n", "1:1 image is missing", schema=False),
    _bad("image null", "image:\nsources: [b]\n", "1:1 image is missing", schema=False),
    _bad("sources missing", "image: a:1\n", "1:1 sources is missing", schema=False),
    _bad("no sources", "image: a:1\nsources: []\n", "2:10 sources: lists no source", schema=False),
    _bad(
        "source without image", "image: a:1\nsources: [{override: yes}]\n", "2:11 sources[0]: image is mi", schema=True
    ),
    # Wrong types.
    _bad("image as a list", "image: [a:1]\nsources: [b]\n", "1:8 image: must be text, not a list", schema=True),
    _bad("image as a mapping", "image: {a: b}\nsources: [b]\n", "1:8 image: must be text, not a mapping", schema=True),
    _bad("tags as a mapping", _index("tags: {a: b}\n"), "3:7 tags: must be a list, not a mapping", schema=True),
    _bad("tag as a list", _index("tags: [[a]]\n"), "3:8 tags[0]: must be text, not a list", schema=True),
    _bad(
        "sources as a mapping", "image: a:1\nsources: {image: b}\n", "2:10 must be a list, not a mapping", schema=True
    ),
    _bad("source as a list", "image: a:1\nsources: [[b]]\n", "2:11 sources[0]: must be a mapping", schema=True),
    _bad(
        "platform as a list",
        "image: a:1\nsources: [{image: b, platform: [linux/amd64]}]\n",
        "2:32 sources[0].platform: must be a mapping of keys to values, not a list",
        schema=True,
    ),
    _bad(
        "architecture as a list",
        "image: a:1\nsources: [{image: b, platform: {architecture: [arm]}}]\n",
        "2:47 sources[0].platform.architecture: must be text, not a list",
        schema=True,
    ),
    _bad("format as a list", _index("format: [oci]\n"), "3:9 format: must be text, not a list", schema=True),
    _bad(
        "override as a number",
        "image: a:1\nsources: [{image: b, override: 1}]\n",
        "2:32 sources[0].override: '1' is neither true nor false",
        schema=True,
    ),
    _bad(
        "override as a list",
        "image: a:1\nsources: [{image: b, override: [true]}]\n",
        "2:32 sources[0].override: must be text, not a list",
        schema=True,
    ),
    _bad("artifact type as a list", _index("artifact-type: [a/b]\n"), "3:16 artifact-type: must be text", schema=True),
    _bad("subject as a mapping", _index("subject: {a: b}\n"), "3:10 subject: must be text", schema=True),
    # References, tags and digests.
    _bad("capitals in a name", "image: ghcr.io/Acme/app:1\nsources: [b]\n", "1:8 names are lower case", schema=False),
    _bad("empty image", "image: ''\nsources: [b]\n", "1:8 image: a reference may not be empty", schema=False),
    _bad("space in a reference", "image: 'a b:1'\nsources: [b]\n", "1:8 image: 'a b' is no part", schema=False),
    _bad("bad tag of image", "image: 'a:-1'\nsources: [b]\n", "1:8 image: tag '-1' does not fit", schema=False),
    _bad("http", "image: https://ghcr.io/a:1\nsources: [b]\n", "1:8 image: a reference has no https://", schema=False),
    _bad("unknown transport", "image: ipfs://a\nsources: [b]\n", "1:8 image: unknown transport 'ipfs'", schema=False),
    _bad(
        "password in a reference",
        "image: u:p@ghcr.io/a\nsources: [b]\n",
        "1:8 image: a digest looks like",
        schema=False,
    ),
    _bad("layout without a path", "image: 'oci:'\nsources: [b]\n", "1:8 image: oci: needs a path", schema=False),
    _bad("port out of range", "image: a.b:99999/c:1\nsources: [b]\n", "1:8 outside 1 to 65535", schema=False),
    _bad(
        "digest as a destination",
        f"image: a@{DIGEST}\nsources: [b]\n",
        "1:8 image: a destination has no d",
        schema=False,
    ),
    _bad(
        "bad digest as a destination", "image: a@sha256:12\nsources: [b]\n", "1:8 a sha256 digest has 64", schema=False
    ),
    _bad(
        "digest as a tag", _index(f"tags: ['b@{DIGEST}']\n"), "3:8 tags[0]: a destination has no digest", schema=False
    ),
    _bad("tag too long", _index(f"tags: [{'a' * 129}]\n"), "3:8 tags[0]: 'aaa", schema=False),
    _bad("tag with a plus", _index("tags: [1.4, 1.4+build]\n"), "3:13 tags[1]: '1.4+build' is no tag", schema=False),
    _bad("empty tag", _index("tags: ['']\n"), "3:8 tags[0]: '' is no tag", schema=False),
    _bad("bad full reference", _index("tags: [GHCR.io//a:1]\n"), "3:8 tags[0]: '' is no part of a rep", schema=False),
    _bad("only tag is wrong", "tags: [A/b:c/]\nsources: [b]\n", "1:8 tags[0]: ", schema=False),
    _bad(
        "short digest", "image: a:1\nsources: ['sha256:12']\n", "2:11 sources[0]: a sha256 digest has 64", schema=False
    ),
    _bad("digest in capitals", f"image: a\nsources: [{DIGEST.upper()}]\n", "2:11 sources[0]: ", schema=False),
    _bad("unknown digest", "image: a\nsources: ['@md5:12']\n", "2:11 unknown digest algorithm 'md5'", schema=False),
    _bad("bad source", "image: a\nsources:\n- b\n- C\n", "4:3 sources[1]: 'C' is no part", schema=False),
    _bad("bad subject", _index("subject: 'b:c:d/'\n"), "3:10 subject: ", schema=False),
    _bad("bad digest as subject", _index("subject: '@sha256:1'\n"), "3:10 subject: a sha256 digest", schema=False),
    # Platforms.
    _bad("platform of one word", _index("expect: [linux]\n"), "3:10 expect[0]: a platform looks like", schema=False),
    _bad("platform of four words", _index("expect: [a/b/c/d]\n"), "3:10 expect[0]: a platform looks", schema=False),
    _bad("odd letters", _index("expect: [linux/arm;64]\n"), "3:10 expect[0]: architecture 'arm;64'", schema=False),
    _bad("empty expectation", _index("expect: []\n"), "3:9 expect: lists no platform", schema=True),
    _bad(
        "platform expected twice",
        _index("expect: [linux/arm64, linux/arm64/v8]\n"),
        "3:23 expect[1]: linux/arm64/v8 is listed twice",
        schema=False,
    ),
    _bad("half a platform", _index("expect: [{os: linux}]\n"), "3:10 expect[0]: needs os and architectu", schema=False),
    _bad(
        "fields of a platform",
        "image: a:1\nsources:\n- image: b\n  platform:\n    os: li nux\n    variant: v/7\n    os.version: '1 0'\n",
        "5:9 sources[0].platform.os: os 'li nux' may hold",
        "6:14 sources[0].platform.variant: variant 'v/7' may hold",
        "7:17 sources[0].platform.os.version: os.version '1 0' may hold",
        schema=False,
    ),
    _bad(
        "bad filter",
        "image: a:1\nsources: [{image: b, platforms: [linux/amd64, linux]}]\n",
        "2:47 sources[0].platforms[1]: a platform looks like",
        schema=False,
    ),
    # Annotations.
    _bad(
        "annotation without =", _index("annotations: [a]\n"), "3:15 annotations[0]: an annotation looks", schema=False
    ),
    _bad(
        "annotation lines",
        _index("annotations: |\n  a=b\n\n  c\n  d=e\n  f\n"),
        "6:3 annotations: an annotation looks like key=value, not 'c'",
        "8:3 annotations: an annotation looks like key=value, not 'f'",
        schema=False,
    ),
    _bad("annotation as a list", _index("annotations: {a: [b]}\n"), "3:18 annotations[a]: must be text", schema=True),
    _bad("annotation within a list", _index("annotations: [{a: b}]\n"), "3:15 must be text, not a map", schema=True),
    _bad("annotation without key", _index("annotations: ['=b']\n"), "3:15 needs a key of printable", schema=False),
    _bad("only the level", _index("annotations: ['index:=b']\n"), "3:15 needs a key of printable", schema=False),
    _bad(
        "annotation's key too long",
        _index(f"annotations: [{'k' * 1025}=v]\n"),
        "3:15 an annotation's key has 1025 characters, more than 1024",
        schema=False,
    ),
    _bad(
        "annotation's value too long",
        _index(f"annotations: [k={'v' * 65537}]\n"),
        "3:15 an annotation's value has 65537 characters, more than 65536",
        schema=False,
    ),
    _bad(
        "annotation for a descriptor that is not there",
        _index("annotations: ['index-descriptor:a=b']\n"),
        "3:15 index-descriptor: has no place in a registry",
        schema=False,
    ),
    _bad(
        "index with a platform",
        _index("annotations: ['index[linux/amd64]:a=b']\n"),
        "3:15 index: is for the whole index and takes no platform",
        schema=False,
    ),
    _bad(
        "annotation for a bad platform",
        _index("annotations: ['manifest-descriptor[arm]:a=b']\n"),
        "3:15 a platform looks like",
        schema=False,
    ),
    _bad(
        "level on a source",
        "image: a:1\nsources: [{image: b, annotations: ['index:a=b']}]\n",
        "2:36 sources[0].annotations[0]: annotations of a source",
        schema=False,
    ),
    _bad(
        "too many annotations",
        _index("annotations: |\n" + "".join(f"  k{number}=\n" for number in range(1001))),
        "3:14 annotations: has 1001 annotations, more than 1000",
        schema=False,
    ),
    # Words.
    _bad("unknown format", _index("format: ocj\n"), "3:9 'ocj' is none of auto, oci, docker, v2s1, v2s2", schema=True),
    _bad("unknown word", _index("existing: keep\n"), "3:11 'keep' is none of replace, append, kee", schema=True),
    _bad("word in capitals", _index("attestations: Drop\n"), "3:15 'Drop' is none of keep, drop", schema=True),
    _bad("artifact type", _index("artifact-type: sbom\n"), "3:16 artifact-type: 'sbom' is no media t", schema=False),
    _bad("referrers", _index("referrers: skp\n"), "3:12 referrers: 'skp' is none of copy, skip", schema=True),
    _bad("attach without a file", _index("attach: [{to: index}]\n"), "3:10 attach[0]: file is missing", schema=True),
    _bad("attach nothing", _index("attach: [{file: ''}]\n"), "3:17 attach[0].file: must be the path of", schema=False),
    _bad("attach a list", _index("attach: [[a]]\n"), "3:10 attach[0]: must be a mapping", schema=True),
    _bad("attach with a bad type", _index("attach: {file: a, type: sbom}\n"), "3:25 attach.type: 'sbom'", schema=False),
    _bad("attach to what", _index("attach: {file: a, to: arm}\n"), "3:23 a platform looks like", schema=False),
    _bad("attach in a dir", "image: dir:out\nsources: [a.b/c:1]\nattach: a\n", "3:9 nothing can be", schema=False),
    _bad("unsigned provenance", _index("provenance: yes\n"), "3:13 provenance: nobody signs", schema=False),
    _bad(
        "lookaside of a website",
        _index("sign: [{gpg: {lookaside: 'https://a.b/c'}}]\n"),
        "3:26 'https://a.b/c' is not what this key takes",
        schema=True,
    ),
    _bad("short fingerprint", _index("sign: [{gpg: {fingerprint: ABCD}}]\n"), "3:28 'ABCD' is not what", schema=True),
    _bad(
        "passphrase of a key elsewhere",
        _index("sign: [{cosign: {key: 'hashivault://a', passphrase: 'env://A'}}]\n"),
        "3:53 sign[0].cosign.passphrase: a key that stays elsewhere has no passphrase",
        schema=False,
    ),
    _bad(
        "passphrase elsewhere",
        _index("sign: [{gpg: {passphrase: 'hashivault://a'}}]\n"),
        "3:27 must be env",
        schema=False,
    ),
    _bad("verify unsigned", _index("verify: true\n"), "3:9 verify: there is nothing to verify", schema=False),
    _bad("unknown signer", _index("sign: [cosing]\n"), "3:8 sign[0]: 'cosing' is none of cosign", schema=True),
    _bad("signer's unknown key", _index("sign: [{cosign: {kye: a}}]\n"), "3:18 unknown key 'kye'", schema=True),
    _bad("signer's format", _index("sign: [{cosign: {format: x}}]\n"), "3:26 'x' is none of both", schema=True),
    _bad("unknown key scheme", _index("sign: [{cosign: {key: 'k8s://a/b'}}]\n"), "3:23 must be env://", schema=False),
    _bad(
        "layout to sign", "image: oci:out:1\nsources: [a.b/c:1]\nsign: cosign\n", "3:7 oci:out:1 cannot", schema=False
    ),
    _bad(
        "key in the spec",
        _index('sign: [{cosign: {key: "-----BEGIN PRIVATE KEY-----"}}]\n'),
        "3:23 sign[0].cosign.key: a secret itself stands here",
        schema=False,
    ),
    # What does not go together.
    _bad(
        "what Docker's list lacks",
        "image: a:1\nformat: docker\nartifact-type: a/b\nsubject: c\nannotations: {a: b}\n"
        "sources: [{image: b, annotations: {a: b}}]\n",
        "3:16 artifact-type: a Docker manifest list cannot hold this",
        "4:10 subject: a Docker manifest list cannot hold this",
        "5:14 annotations: a Docker manifest list cannot hold this",
        "6:11 sources[0].annotations: a Docker manifest list cannot hold this",
        schema=False,
    ),
    _bad(
        "append to what has no tag",
        "image: ghcr.io/a/b\nexisting: append\nsources: [c]\n",
        "1:8 image: appending needs a tag",
        schema=False,
    ),
    # Sizes.
    _bad("too many tags", _index(f"tags: [{','.join('t' * 101)}]\n"), "3:7 has 101 items, more than 100", schema=True),
    _bad(
        "too many sources",
        f"image: a:1\nsources: [{','.join('s' * 1001)}]\n",
        "2:10 sources: has 1001 items, more than 1000",
        schema=True,
    ),
    # Several indexes.
    _bad("no indexes", "indexes: []\n", "1:10 indexes: lists no index", schema=True),
    _bad("indexes null", "indexes:\ndefaults: {tags: [a]}\n", "1:1 defaults stand next to indexes only", schema=False),
    _bad("indexes as a mapping", "indexes: {image: a}\n", "1:10 indexes: must be a list", schema=True),
    _bad("index as text", "indexes: [a]\n", "1:11 indexes[0]: must be a mapping", schema=True),
    _bad("defaults alone", "defaults: {tags: [a]}\n", "1:1 defaults stand next to indexes only", schema=True),
    _bad(
        "keys next to indexes",
        "image: a\nindexes: [{image: a:1, sources: [b]}]\n",
        "1:1 unknown key 'image' (known are indexes, defaults)",
        schema=True,
    ),
    _bad(
        "wrong default, said once",
        "defaults:\n  format: ocj\n  tagz: a\nindexes:\n- {image: a:1, sources: [b]}\n- {image: a:2, sources: [b]}\n",
        "2:11 defaults.format: 'ocj' is none of",
        "3:3 defaults: unknown key 'tagz'",
        schema=True,
    ),
    _bad(
        "second index is wrong",
        "indexes:\n- {image: a:1, sources: [b]}\n- {image: a:2}\n",
        "3:3 indexes[1]: sources is missing",
        schema=False,
    ),
    _bad(
        "second document is wrong",
        "image: a:1\nsources: [b]\n---\nimage: a:2\nsources: [B]\n",
        "5:11 sources[0]: 'B' is no part of a repository name",
        schema=None,
    ),
    _bad(
        "everything at once",
        "image: A:1\ntags: {a: b}\nmanifests:\n  - image: b\n    platform: x\n  - nonsense: 1\nformat: x\nfoo: bar\n",
        "1:8 image: ",
        "2:7 tags: must be a list",
        "5:15 manifests[0].platform: a platform looks like",
        "6:5 manifests[1]: unknown key 'nonsense'",
        "6:5 manifests[1]: image is missing",
        "7:9 format: 'x' is none of",
        "8:1 unknown key 'foo'",
        schema=True,
    ),
)


@dataclass(frozen=True)
class Good:
    """A spec that is accepted, and what it comes to: destinations, then sources, as text."""

    name: str
    text: str
    destinations: tuple[str, ...]
    sources: tuple[str, ...]


GOOD = (
    Good(
        "smallest",
        "image: acme/app:1\nsources: [acme/app:1-amd64]\n",
        ("docker.io/acme/app:1",),
        ("docker.io/acme/app:1-amd64",),
    ),
    Good(
        "text stays text",
        "image: acme/app:1.10\ntags: [on, 0755, 22_30, 1.20, 1e3, 2024-01-01]\nsources: [busybox:1.0]\n",
        tuple(f"docker.io/acme/app:{tag}" for tag in ("1.10", "on", "0755", "22_30", "1.20", "1e3", "2024-01-01")),
        ("docker.io/library/busybox:1.0",),
    ),
    Good(
        "bare tags, full references, repeated",
        "image: ghcr.io/acme/app:1\ntags: ['1', latest, ghcr.io/acme/app:latest, acme/app:1, docker.io/acme/app:1,"
        " quay.io/a/b]\n"
        "sources: [ghcr.io/acme/app:amd64]\n",
        ("ghcr.io/acme/app:1", "ghcr.io/acme/app:latest", "docker.io/acme/app:1", "quay.io/a/b:latest"),
        ("ghcr.io/acme/app:amd64",),
    ),
    Good(
        "main destination among the tags",
        "tags:\n  - edge\n  - ghcr.io/acme/app:1\n  - quay.io/acme/app:1\nsources: [ghcr.io/acme/app:amd64]\n",
        ("ghcr.io/acme/app:1", "ghcr.io/acme/app:edge", "quay.io/acme/app:1"),
        ("ghcr.io/acme/app:amd64",),
    ),
    Good(
        "digests in the main repository",
        f"image: ghcr.io/acme/app:1\nsources: ['{DIGEST}', '@{OTHER_DIGEST}', {{image: '{DIGEST}'}}]\n",
        ("ghcr.io/acme/app:1",),
        (f"ghcr.io/acme/app@{DIGEST}", f"ghcr.io/acme/app@{OTHER_DIGEST}", f"ghcr.io/acme/app@{DIGEST}"),
    ),
    Good(
        "layouts",
        "image: oci:./out:1.4.2\ntags: [latest, ghcr.io/acme/app:1]\n"
        "sources: ['oci:build/amd64', 'oci:build/arm64:v1']\n",
        ("oci:out:1.4.2", "oci:out:latest", "ghcr.io/acme/app:1"),
        ("oci:build/amd64", "oci:build/arm64:v1"),
    ),
    Good(
        "lists as text",
        "image: a.b/c:1\ntags: x, y\nsources: |\n  # both of them\n  a.b/c:amd64\n  a.b/c:arm64\n"
        "expect: linux/amd64,linux/arm64\n",
        ("a.b/c:1", "a.b/c:x", "a.b/c:y"),
        ("a.b/c:amd64", "a.b/c:arm64"),
    ),
    Good(
        "nulls",
        "image: a.b/c:1\ntags:\nannotations: ~\nexpect: null\nsources: [{image: a.b/c:2, platform: }]\n",
        ("a.b/c:1",),
        ("a.b/c:2",),
    ),
    Good(
        "manifest-tool, all there is",
        "image: myprivreg:5000/someimage:latest\ntags: ['1.0', stable]\nannotations:\n  org.example.a: b\n"
        "manifests:\n"
        "  - image: myprivreg:5000/someimage:ppc64le\n    platform:\n      architecture: ppc64le\n      os: linux\n"
        "  - image: myprivreg:5000/someimage:amd64\n    platform:\n      architecture: amd64\n"
        "      features:\n        - sse\n"
        "      os: linux\n"
        "  - image: myprivreg:5000/someimage:386\n    platform: {architecture: 386, os: linux}\n"
        "  - image: myprivreg:5000/someimage:win\n    platform:\n      architecture: amd64\n      os: windows\n"
        "      osversion: 10.0.17763.1\n      osfeatures: [win32k]\n"
        "  - image: myprivreg:5000/someimage:armv6\n    platform:\n      architecture: arm\n      os: linux\n"
        "      variant: v6\n",
        tuple(f"myprivreg:5000/someimage:{tag}" for tag in ("latest", "1.0", "stable")),
        tuple(f"myprivreg:5000/someimage:{tag}" for tag in ("ppc64le", "amd64", "386", "win", "armv6")),
    ),
    Good(
        "every key",
        "image: a.b/c:1\ntags: [d]\n"
        "sources:\n"
        "  - image: a.b/c:2\n    platform: {os: linux, architecture: arm64, variant: v8,"
        " os.version: 1, os.features: [x]}\n"
        "    platforms: [linux/arm64]\n    annotations: {a: b}\n    override: yes\n"
        "annotations: ['index:a=b', 'manifest-descriptor[linux/arm64]:c=d']\n"
        "expect: [linux/arm64, {os: windows, architecture: amd64, os.version: 10.0.1}]\n"
        "format: oci\nattestations: drop\nexisting: append\nartifact-type: application/vnd.acme.thing\n"
        f"subject: '{DIGEST}'\nreferrers: skip\nremove-signatures: yes\n"
        "attach: [a.spdx, {file: b, type: spdx, to: linux/arm64}, {file: c, type: text/csv, to: index}]\n"
        "sign: cosign\nprovenance: true\n",
        ("a.b/c:1", "a.b/c:d"),
        ("a.b/c:2",),
    ),
    Good(
        "signers",
        "image: a.b/c:1\nsources: [a.b/c:2]\nsign: [cosign, {cosign: {key: cosign.key,"
        " passphrase: 'env://P', format: tag, recursive: no}}]\n",
        ("a.b/c:1",),
        ("a.b/c:2",),
    ),
    Good("signer as text", "image: a.b/c:1\nsources: [a.b/c:2]\nsign: cosign\n", ("a.b/c:1",), ("a.b/c:2",)),
    Good("signer alone", "image: a.b/c:1\nsources: [a.b/c:2]\nsign: {cosign: {}}\n", ("a.b/c:1",), ("a.b/c:2",)),
    Good(
        "booleans",
        "image: a.b/c:1\nsources:\n"
        + "".join(f"- {{image: a.b/c:2, override: {word}}}\n" for word in ("TRUE", "Off", "no", "'yes'")),
        ("a.b/c:1",),
        ("a.b/c:2",) * 4,
    ),
)
