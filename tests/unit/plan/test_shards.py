from dataclasses import replace

import pytest

from manifest_action.model.reference import parse_reference
from manifest_action.plan.shards import Shard, matrix, select, split
from manifest_action.plan.spec import IndexSpec, SourceSpec

DIGEST = "sha256:" + "0" * 63


def spec(number: int, *sources: str) -> IndexSpec:
    listed = tuple(SourceSpec(parse_reference(source)) for source in sources or (f"r.test/a:{number}-amd64",))
    return IndexSpec(destinations=(parse_reference(f"r.test/a:{number}"),), sources=listed)


def numbers(part: tuple[IndexSpec, ...]) -> list[str]:
    return [each.main.tag for each in part]


@pytest.mark.parametrize(("text", "number", "count"), [("1/1", 1, 1), (" 2/4 ", 2, 4), ("256/256", 256, 256)])
def test_a_shard_is_read(text: str, number: int, count: int) -> None:
    shard = Shard.parse(text)
    assert (shard.number, shard.count) == (number, count)
    assert str(shard) == text.strip()


@pytest.mark.parametrize("text", ["", "1", "0/4", "5/4", "1/257", "01/4", "-1/4", "1/4/2", "1.0/4", "١/4"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no shard"):
        Shard.parse(text)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_every_index_is_in_one_part_in_order_and_parts_are_even(count: int) -> None:
    specs = [spec(number) for number in range(20)]
    parts = split(specs, count)
    assert sorted((each for part in parts for each in numbers(part)), key=int) == [str(n) for n in range(20)]
    assert all(numbers(part) == sorted(numbers(part), key=int) for part in parts)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert [select(specs, Shard(number, count)) for number in range(1, count + 1)] == list(parts)


def test_indexes_of_the_same_sources_stay_together() -> None:
    specs = [spec(number, f"r.test/a:base-{number % 4}", f"r.test/a:{number}-arm64") for number in range(16)]
    for part in split(specs, 4):
        assert len({int(each) % 4 for each in numbers(part)}) == 1


def test_indexes_bound_by_one_between_them_stay_together() -> None:
    chain = [spec(0, "r.test/a:x"), spec(1, "r.test/a:y"), spec(2, "r.test/a:x", "r.test/a:y"), spec(3), spec(4)]
    others = [spec(number) for number in range(5, 12)]
    (whole,) = [part for part in split([*chain, *others], 2) if "0" in numbers(part)]
    assert {"0", "1", "2"} <= set(numbers(whole))


def test_sources_that_all_share_do_not_make_one_part_of_everything() -> None:
    specs = [spec(number, "r.test/a:common") for number in range(12)]
    assert [len(part) for part in split(specs, 4)] == [3, 3, 3, 3]


def test_indexes_whose_sources_go_away_are_in_one_part() -> None:
    temporary = (parse_reference("r.test/a:common"),)
    specs = [spec(number, "r.test/a:common") for number in range(8)] + [spec(number) for number in range(8, 16)]
    specs[3] = replace(specs[3], cleanup=temporary)
    (whole,) = [part for part in split(specs, 4) if "3" in numbers(part)]
    assert {str(number) for number in range(8)} <= set(numbers(whole))


@pytest.mark.parametrize("source", ["r.test/a:x", f"r.test/a:x@{DIGEST}1"])
def test_an_index_that_takes_a_tag_away_is_with_those_that_read_it(source: str) -> None:
    cleaning = replace(spec(0), cleanup=(parse_reference("r.test/a:x"),))
    specs = [cleaning, *(spec(number) for number in range(1, 11)), spec(11, source)]
    (whole,) = [part for part in split(specs, 4) if "0" in numbers(part)]
    assert "11" in numbers(whole)


def test_more_parts_than_indexes_leave_some_empty_and_out_of_the_matrix() -> None:
    specs = [spec(1), spec(2, f"r.test/a@{DIGEST}1", f"r.test/a@{DIGEST}2")]
    assert matrix(specs, 4) == {
        "include": [
            {"shard": "1/4", "indexes": 1, "sources": 2},
            {"shard": "2/4", "indexes": 1, "sources": 1},
        ]
    }
    assert select(specs, Shard(4, 4)) == ()


def test_a_heavy_index_is_a_part_of_its_own() -> None:
    heavy = spec(0, *(f"r.test/a:{number}" for number in range(100)))
    parts = split([heavy, *(spec(number) for number in range(1, 9))], 3)
    assert ["0"] in [numbers(part) for part in parts]
    assert sorted(len(part) for part in parts) == [1, 4, 4]
