"""Files to attach: what is written about them, and what is in them."""

import pytest

from manifest_action.adapters.document import read_documents
from manifest_action.model.platform import Platform
from manifest_action.plan.attach import detected_type, with_content
from manifest_action.plan.reader import read_specs
from manifest_action.plan.spec import AttachSpec, Referrers

ARM = Platform.parse("linux/arm64")


def read(attach: str) -> tuple[AttachSpec, ...]:
    text = f"image: a.b/c:1\nsources: [a.b/c:2]\nattach: {attach}\n"
    (spec,) = read_specs(read_documents(text, "spec.yml"))
    return spec.attach


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.json", [AttachSpec("a.json")]),
        ("[a.json, a.json, b.json]", [AttachSpec("a.json"), AttachSpec("b.json")]),
        ("{file: a, type: spdx}", [AttachSpec("a", "application/spdx+json")]),
        ("[{file: a, type: cyclonedx}]", [AttachSpec("a", "application/vnd.cyclonedx+json")]),
        ("{file: a, type: text/csv, to: index}", [AttachSpec("a", "text/csv")]),
        ("[{file: a, to: linux/arm64}]", [AttachSpec("a", to=ARM)]),
        ("[{file: a, to: {os: linux, architecture: arm64}}]", [AttachSpec("a", to=ARM)]),
        ("[]", []),
    ],
)
def test_what_is_written(text: str, expected: list[AttachSpec]) -> None:
    assert list(read(text)) == expected


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"spdxVersion":"SPDX-2.3"}', "application/spdx+json"),
        (b'{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld"}', "application/spdx+json"),
        (b"SPDXVersion: SPDX-2.2\nDataLicense: CC0-1.0\n", "text/spdx"),
        (b'{"bomFormat":"CycloneDX","specVersion":"1.6"}', "application/vnd.cyclonedx+json"),
        (b'<?xml version="1.0"?><bom xmlns="http://cyclonedx.org/schema/bom/1.4"/>', "application/vnd.cyclonedx+xml"),
        (b"\xef\xbb\xbf<c:bom xmlns:c='http://cyclonedx.org/schema/bom/1.4'/>", "application/vnd.cyclonedx+xml"),
        (b'{"spdxVersion":2}', ""),
        (b'{"@context":["https://spdx.org/rdf/3.0.1/"]}', ""),
        (b'{"bomFormat":"cyclone"}', ""),
        (b"<html/>", ""),
        (b"plain", ""),
        (b"\xff", ""),
    ],
)
def test_an_sbom_is_known_by_what_is_in_it(content: bytes, kind: str) -> None:
    assert detected_type(content) == kind
    if kind:
        assert with_content(AttachSpec("a"), content) == AttachSpec("a", kind, content=content)
    else:
        with pytest.raises(ValueError, match="is neither SPDX nor CycloneDX"):
            with_content(AttachSpec("a"), content)
        assert with_content(AttachSpec("a", "text/plain"), content).type == "text/plain"


def test_a_file_has_something_in_it() -> None:
    with pytest.raises(ValueError, match="is empty"):
        with_content(AttachSpec("a", "text/plain"), b"")


def test_what_is_attached_comes_along_unless_said_otherwise() -> None:
    for written, expected in (
        ("", Referrers.COPY),
        ("referrers: copy\n", Referrers.COPY),
        ("referrers: skip\n", "skip"),
    ):
        (spec,) = read_specs(read_documents(f"image: a.b/c:1\nsources: [a.b/c:2]\n{written}", "spec.yml"))
        assert spec.referrers == expected
        assert (spec.remove_signatures, spec.provenance) == (False, False)
