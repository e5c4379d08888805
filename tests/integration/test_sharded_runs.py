"""One spec by several jobs: the matrix, the shards side by side, and their reports as one."""

import json

from tests.support.images import image, push
from tests.support.product import Product
from tests.support.servers import Registry

INDEXES = 6


def spec(registry: Registry, repository: str) -> str:
    where = f"{registry.host}/{repository}"
    lines = ["indexes:"]
    for number in range(INDEXES):
        sources = [push(registry, repository, image(f"linux/{name}", seed=str(number))) for name in ("amd64", "arm64")]
        lines.append(f"  - {{image: '{where}:{number}', sources: {[f'{where}@{digest}' for digest in sources]}}}")
    return "\n".join(lines) + "\n"


def test_shards_make_together_what_one_run_makes(registry: Registry, repository: str, product: Product) -> None:
    file = product.spec(spec(registry, repository))
    planned = product.run("plan", "--matrix", "3", file)
    assert planned.returncode == 0, planned.stderr.decode()
    shards = [each["shard"] for each in json.loads(planned.stdout)["include"]]
    assert shards == ["1/3", "2/3", "3/3"]
    assert registry.tags(repository) == []

    running = [product.start("push", "--json", "--shard", shard, file) for shard in shards]
    for shard, process in zip(shards, running, strict=True):
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err.decode()
        (product.folder / f"{shard[0]}.json").write_bytes(out)
    assert registry.tags(repository) == [str(number) for number in range(INDEXES)]

    merged = product.run("report", "merge", *(f"{shard[0]}.json" for shard in shards))
    assert merged.returncode == 0, merged.stderr.decode()
    document = json.loads(merged.stdout)
    assert document["changed"]
    assert {index["name"].rpartition(":")[2] for index in document["indexes"]} == {str(n) for n in range(INDEXES)}

    again = product.push(file.read_text())
    assert not again["changed"]
    by_name = {index["name"]: index["digest"] for index in document["indexes"]}
    assert {index["name"]: index["digest"] for index in again["indexes"]} == by_name


def test_a_shard_that_failed_is_run_again_alone(registry: Registry, repository: str, product: Product) -> None:
    text = spec(registry, repository)
    first = text.splitlines()[1]
    missing = first.replace(first[first.index("sha256:") : first.index("sha256:") + 71], "sha256:" + "0" * 64)
    broken = text.replace(first, missing)
    codes = []
    for shard in ("1/2", "2/2"):
        result = product.run("push", "--json", "--shard", shard, product.spec(broken))
        codes.append(result.returncode)
        (product.folder / f"{shard[0]}.json").write_bytes(result.stdout)
    assert sorted(codes) == [0, 3]
    failed = "1/2" if codes[0] else "2/2"
    assert product.run("report", "merge", "1.json", "2.json").returncode == 3

    result = product.run("push", "--json", "--shard", failed, product.spec(text))
    assert result.returncode == 0, result.stderr.decode()
    (product.folder / f"{failed[0]}.json").write_bytes(result.stdout)
    merged = product.run("report", "merge", "1.json", "2.json")
    assert (merged.returncode, json.loads(merged.stdout)["success"]) == (0, True)
    assert registry.tags(repository) == [str(number) for number in range(INDEXES)]


def test_what_is_no_shard_and_no_report_is_explained(registry: Registry, repository: str, product: Product) -> None:
    file = product.spec(spec(registry, repository))
    for arguments, said in (
        (("push", "--shard", "3/2", file), "'3/2' is no shard"),
        (("plan", "--matrix", "0", file), "is not a whole number from 1 to 256"),
        (("report", "merge", "spec.yml"), "spec.yml"),
    ):
        result = product.run(*arguments)
        assert result.returncode == 2, arguments
        assert said in result.stderr.decode()
    assert registry.tags(repository) == []
