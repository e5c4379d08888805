"""What a person sees on a real terminal while a large layer travels between two registries, and what a log has."""

import os
import pty
import re
import subprocess
from pathlib import Path

from tests.support.images import file_layer, image, push
from tests.support.product import Product
from tests.support.servers import Registry

SIZE = 24 * 1024 * 1024


def on_terminal(product: Product, spec: Path) -> str:
    """All that `push` writes to its standard error, which is a terminal."""
    ours, theirs = pty.openpty()
    with product.start("push", spec, stderr=theirs) as process:
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 65536):
                text += part
        except OSError:  # a terminal whose other end has gone
            pass
        os.close(ours)
        assert process.wait(60) == 0, text
    return text.decode()


def test_a_large_layer_is_seen_travelling(
    registry: Registry, other_registry: Registry, repository: str, product: Product, tmp_path: Path
) -> None:
    made = image(layers=1, extra_layers=[file_layer(tmp_path / "layer", SIZE)])
    digest = push(other_registry, repository, made)
    spec = product.spec(
        f"image: {registry.host}/{repository}:1\nsources: ['{other_registry.host}/{repository}@{digest}']\n"
    )
    product.environment |= {"TERM": "xterm"}
    text = on_terminal(product, spec)
    statuses = re.findall(r"\r\x1b\[K  1 large blob on the way: ([0-9.]+) MiB of 24\.0 MiB, [0-9]+ %", text)
    assert [float(each) for each in statuses] == sorted(float(each) for each in statuses)
    assert len(set(statuses)) >= 4
    assert "\x1b[1mTag 1 tag\x1b[0m" in text
    product.environment |= {"NO_COLOR": "1"}
    assert "\x1b[1m" not in on_terminal(product, spec)


def test_a_log_has_one_line_for_each_blob_and_the_totals(
    registry: Registry, other_registry: Registry, repository: str, product: Product, tmp_path: Path
) -> None:
    made = image(layers=2, extra_layers=[file_layer(tmp_path / "layer", SIZE)])
    digest = push(other_registry, repository, made)
    spec = product.spec(
        f"image: {registry.host}/{repository}:1\nsources: ['{other_registry.host}/{repository}@{digest}']\n"
    )
    result: subprocess.CompletedProcess[bytes] = product.run("push", spec)
    log = result.stderr.decode()
    assert "\x1b" not in log
    assert "\r" not in log
    assert len(re.findall(r"^  copied sha256:", log, re.MULTILINE)) == 4
    assert re.search(r"^  copied 4 blobs \(24\.\d MiB\)$", result.stdout.decode(), re.MULTILINE)
