import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from manifest_action.convert.image import Conversion, Unconvertible, to_docker
from manifest_action.convert.jws import sign, verify
from manifest_action.convert.schema1 import ReadLayer, from_schema1, to_schema1
from manifest_action.model import mediatype
from manifest_action.model.digest import Digest
from manifest_action.model.manifest import Manifest
from manifest_action.model.schema1 import EMPTY_LAYER, EMPTY_LAYER_DIGEST, parse_schema1
from tests.support.images import (
    OCI_CONFIG,
    OCI_MANIFEST,
    SyntheticImage,
    artifact,
    digest_of,
    gzip_layer,
    image,
)

NAME = "acme/app"


def config_of(made: SyntheticImage) -> bytes:
    config = Manifest.parse(made.manifest_bytes).config
    assert config is not None
    found = made.blobs[str(config.digest)]
    assert isinstance(found, bytes)
    return found


def with_history(*steps: Mapping[str, object]) -> tuple[Manifest, bytes]:
    """An image of as many layers as there are steps that have one."""
    layers = [gzip_layer(f"{n}", 50) for n, step in enumerate(steps) if not step.get("empty_layer")]
    config = json.dumps(
        {
            "architecture": "arm64",
            "os": "linux",
            "config": {"Cmd": ["/hello"]},
            "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
            "history": list(steps),
        }
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, "digest": digest_of(config), "size": len(config)},
        "layers": [{"mediaType": each.media_type, "digest": each.digest, "size": each.size} for each in layers],
    }
    return Manifest.parse(json.dumps(manifest).encode()), config


def back(made: Conversion) -> Conversion:
    """The image that a schema 1 manifest becomes, with what reading its layers would have found."""
    old = parse_schema1(made.manifest.raw)
    verify(old)
    sizes = {layer.digest: layer.size for layer in made.manifest.layers}
    return from_schema1(old, {each: ReadLayer(sizes[each], Digest.of(str(each).encode())) for each in old.layers})


def document(made: Conversion) -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = json.loads(made.manifest.raw)
    return parsed


def test_an_image_becomes_a_signed_manifest() -> None:
    made = image("linux/arm64", layers=2)
    result = to_schema1(Manifest.parse(made.manifest_bytes), config_of(made), NAME)
    found = document(result)
    layers = [layer["digest"] for layer in json.loads(made.manifest_bytes)["layers"]]
    assert (found["schemaVersion"], found["name"], found["architecture"]) == (1, NAME, "arm64")
    assert [layer["blobSum"] for layer in found["fsLayers"]] == layers[::-1]
    newest, base = (json.loads(entry["v1Compatibility"]) for entry in found["history"])
    assert newest["parent"] == base["id"]
    assert newest["config"]["Cmd"] == ["/hello"]
    assert not newest.keys() & {"rootfs", "history"}
    assert base["container_config"] == {"Cmd": ["COPY 0 /"]}
    assert base["id"] == digest_of(f"{layers[0].partition(':')[2]} ".encode()).partition(":")[2]
    assert result.blobs == {}


def test_the_digest_is_not_over_the_signature_and_the_length_does_not_change() -> None:
    made = image()
    results = [to_schema1(Manifest.parse(made.manifest_bytes), config_of(made), NAME).manifest for _ in range(20)]
    assert len({result.raw for result in results}) == 20
    assert len({(result.digest, len(result.raw)) for result in results}) == 1
    again = Manifest.parse(results[0].raw, media_type=mediatype.DOCKER_SCHEMA1_SIGNED)
    assert again.is_schema1
    assert again.digest == results[0].digest
    assert again.descriptor == results[0].descriptor


def test_steps_without_files_point_to_the_empty_layer() -> None:
    manifest, config = with_history({"empty_layer": True}, {"created_by": "ADD"}, {"empty_layer": True, "author": "me"})
    made = to_schema1(manifest, config, NAME)
    assert made.blobs == {EMPTY_LAYER_DIGEST: EMPTY_LAYER}
    assert [layer["blobSum"] for layer in document(made)["fsLayers"]] == [
        str(EMPTY_LAYER_DIGEST),
        str(manifest.layers[0].digest),
        str(EMPTY_LAYER_DIGEST),
    ]
    history = [json.loads(entry["v1Compatibility"]) for entry in document(made)["history"]]
    assert [entry.get("throwaway") for entry in history] == [True, None, True]
    assert len({entry["id"] for entry in history}) == 3
    assert str(EMPTY_LAYER_DIGEST) in {str(blob.digest) for blob in made.manifest.blobs}
    assert parse_schema1(made.manifest.raw).layers == (manifest.layers[0].digest,)


def test_an_image_without_history_gets_one_step_for_each_layer() -> None:
    made = image(layers=3)
    config = json.loads(config_of(made))
    del config["history"]
    result = to_schema1(Manifest.parse(made.manifest_bytes), json.dumps(config).encode(), NAME)
    assert len(document(result)["history"]) == 3


@pytest.mark.parametrize("history", ["x", [{"empty_layer": True}], [{}], ["x", "y"]])
def test_a_history_that_does_not_fit_the_layers_is_refused(history: object) -> None:
    made = image(layers=2)
    config = json.dumps({**json.loads(config_of(made)), "history": history}).encode()
    with pytest.raises(ValueError, match="history"):
        to_schema1(Manifest.parse(made.manifest_bytes), config, NAME)


def test_what_schema_1_cannot_hold_is_named_or_dropped() -> None:
    made = image(annotations={"on.image": "1"})
    manifest = Manifest.parse(made.manifest_bytes)
    with pytest.raises(Unconvertible, match=r"the annotation on\.image"):
        to_schema1(manifest, config_of(made), NAME)
    assert to_schema1(manifest, config_of(made), NAME, lossy=True).manifest.is_schema1
    with pytest.raises(Unconvertible, match="artifact"):
        to_schema1(Manifest.parse(artifact().manifest_bytes), b"{}", NAME, lossy=True)


def test_layers_that_lie_elsewhere_have_no_place_in_schema_1() -> None:
    made = image("windows/amd64", docker=True)
    text = made.manifest_bytes.replace(b'"size":', b'"urls":["https://example.com/x"],"size":')
    with pytest.raises(Unconvertible, match="lies elsewhere"):
        to_schema1(Manifest.parse(text), config_of(made), NAME, lossy=True)


def test_schema_1_becomes_schema_2_with_a_config() -> None:
    manifest, config = with_history(
        {"created": "2020-01-01T00:00:00Z", "created_by": "ADD x", "author": "me", "comment": "why"},
        {"created": "2021-01-01T00:00:00Z", "empty_layer": True},
        {"created_by": "RUN y"},
    )
    made = back(to_schema1(manifest, config, NAME))
    assert made.manifest.media_type == mediatype.DOCKER_MANIFEST
    assert [layer.digest for layer in made.manifest.layers] == [layer.digest for layer in manifest.layers]
    assert made.manifest.config is not None
    found = json.loads(made.blobs[made.manifest.config.digest])
    assert (found["architecture"], found["os"], found["config"]) == ("arm64", "linux", {"Cmd": ["/hello"]})
    assert found["rootfs"]["diff_ids"] == [str(Digest.of(str(each.digest).encode())) for each in manifest.layers]
    assert found["history"][0] == {
        "created": "2020-01-01T00:00:00Z",
        "created_by": "ADD x",
        "author": "me",
        "comment": "why",
    }
    assert [step.get("empty_layer", False) for step in found["history"]] == [False, True, False]
    assert not found.keys() & {"id", "parent", "throwaway"}


def test_old_images_say_neither_os_nor_throwaway() -> None:
    identity = "a" * 64
    payload = {
        "schemaVersion": 1,
        "name": NAME,
        "tag": "",
        "architecture": "amd64",
        "fsLayers": [{"blobSum": str(EMPTY_LAYER_DIGEST)}, {"blobSum": digest_of(b"layer")}],
        "history": [
            {"v1Compatibility": json.dumps({"id": "b" * 64, "parent": identity, "Size": 0})},
            {"v1Compatibility": json.dumps({"id": identity, "Size": 10})},
        ],
    }
    old = parse_schema1(sign(json.dumps(payload, indent="   ").encode()))
    assert [str(layer) for layer in old.layers] == [digest_of(b"layer")]
    made = from_schema1(old, {layer: ReadLayer(5, Digest.of(b"tar"), is_gzip=False) for layer in old.layers})
    (config,) = (json.loads(blob) for blob in made.blobs.values())
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert made.manifest.layers[0].media_type == "application/vnd.docker.image.rootfs.diff.tar"
    assert "Size" not in config


def signed() -> bytes:
    made = image()
    return to_schema1(Manifest.parse(made.manifest_bytes), config_of(made), NAME).manifest.raw


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    block = json.loads(signed())
    change(block["signatures"][0])
    raw = signed()
    start = raw.index(b',\n   "signatures"')
    return raw[:start] + b',\n   "signatures": ' + json.dumps(block["signatures"]).encode() + b"\n}"


@pytest.mark.parametrize(
    ("forged", "what"),
    [
        (signed().replace(b'"arm64"', b'"mips"').replace(b'"amd64"', b'"mips"', 1), "formatLength|JSON|not over this"),
        (signed().replace(b'"tag": ""', b'"tag": "\xc3\xa4"'), "formatLength|JSON|not over this"),
        (changed(lambda block: block.update(signature=base64.urlsafe_b64encode(bytes(64)).decode()[:86])), "not over"),
        (changed(lambda block: block.update(signature="AAAA")), "wrong length"),
        (changed(lambda block: block["header"].update(alg="none")), "algorithm is 'none'"),
        (changed(lambda block: block["header"].pop("jwk")), "does not carry a key"),
        (changed(lambda block: block["header"]["jwk"].update(x="AAAA")), "coordinates of the wrong length"),
        (changed(lambda block: block["header"]["jwk"].update(x="A" * 43)), "."),
        (changed(lambda block: block.update(protected="!!")), "base64url"),
        (
            changed(
                lambda block: block.update(
                    protected=base64.urlsafe_b64encode(b'{"formatLength":99999}').decode().rstrip("=")
                )
            ),
            "formatLength",
        ),
        (changed(lambda block: block.pop("header")), "no header"),
        (b'{"schemaVersion": 1, "signatures": []}', "signatures must be a list"),
    ],
)
def test_a_signature_that_is_not_right_is_refused(forged: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        verify(parse_schema1(forged))


def test_members_after_the_signed_part_say_nothing() -> None:
    raw = signed()
    assert raw.endswith(b"\n}")
    added = raw[:-2] + b',\n   "architecture2": "mips"\n}'
    assert parse_schema1(added).payload == parse_schema1(raw).payload


def payload(*history: tuple[str, Mapping[str, object]], **more: object) -> bytes:
    """A signed document; history newest first, as schema 1 has it."""
    whole = {
        "schemaVersion": 1,
        "fsLayers": [{"blobSum": digest_of(blob.encode())} for blob, _ in history],
        "history": [{"v1Compatibility": json.dumps(entry)} for _, entry in history],
        **more,
    }
    return sign(json.dumps(whole, indent="   ").encode())


A, B = "a" * 64, "b" * 64


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (payload(("x", {"id": "short"})), "64 hex digits"),
        (payload(("x", {"id": A, "parent": B})), "does not follow"),
        (payload(("x", {"id": A}), ("y", {"id": B})), "does not follow"),
        (payload(("x", {"id": A, "parent": B}), ("y", {"id": B, "parent": A}), ("z", {"id": A})), "same id twice"),
        (payload(("x", {"id": A}), fsLayers=[{}, {}]), "2 layers, but 1"),
        (payload(("x", {"id": A}), fsLayers=[{}]), "blobSum is missing"),
        (payload(("x", {"id": A}), config={}), "could be read either way"),
        (payload(("x", {"id": A}), schemaVersion=2), "schemaVersion must be 1"),
        (payload(("x", {"id": A}), history=[{"v1Compatibility": "no"}]), "not JSON"),
        (payload(*[("x", {"id": A})] * 1001), "over the limit"),
    ],
)
def test_documents_that_make_no_sense_are_refused(raw: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        parse_schema1(raw)


def test_of_neighbours_with_one_id_the_newer_stays() -> None:
    raw = payload(("x", {"id": B, "parent": A}), ("y", {"id": B, "parent": A}), ("z", {"id": A}))
    assert [str(layer) for layer in parse_schema1(raw).layers] == [digest_of(b"z"), digest_of(b"x")]


def test_schema_1_served_as_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="of schema 1, but it was served as"):
        Manifest.parse(signed(), media_type=OCI_MANIFEST)


def test_two_signatures_must_be_over_the_same_document() -> None:
    made = json.loads(signed())
    other = json.loads(payload(("x", {"id": A})))
    made["signatures"] += other["signatures"]
    with pytest.raises(ValueError, match="not over the same document"):
        parse_schema1(json.dumps(made, indent=3).encode())


@given(st.integers(1, 2**200))
def test_every_key_signs_and_is_verified(secret: int) -> None:
    key = ec.derive_private_key(secret, ec.SECP256R1())
    raw = sign(payload_text(), key)
    verify(parse_schema1(raw))
    assert len(raw) == len(sign(payload_text()))


def payload_text() -> bytes:
    return parse_schema1(payload(("x", {"id": A}))).payload


STEPS = st.lists(
    st.fixed_dictionaries(
        {"empty_layer": st.booleans()},
        optional={"created_by": st.text(max_size=5), "author": st.text(max_size=5), "comment": st.text(max_size=5)},
    ),
    min_size=1,
    max_size=6,
).filter(lambda steps: any(not step["empty_layer"] for step in steps))


@given(STEPS)
def test_there_and_back_keeps_layers_and_history(steps: list[dict[str, Any]]) -> None:
    manifest, config = with_history(*steps)
    made = to_schema1(manifest, config, NAME)
    again = back(made)
    assert [layer.digest for layer in again.manifest.layers] == [layer.digest for layer in manifest.layers]
    assert again.manifest.layers == to_docker(manifest).layers
    (found,) = (json.loads(blob) for blob in again.blobs.values())
    assert [step.get("empty_layer", False) for step in found["history"]] == [step["empty_layer"] for step in steps]
    assert (
        back(to_schema1(again.manifest, next(iter(again.blobs.values())), NAME)).manifest.layers
        == again.manifest.layers
    )
    assert to_schema1(manifest, config, NAME).manifest.digest == made.manifest.digest
