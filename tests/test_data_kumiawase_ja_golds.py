"""Aim: the golds of 数学 and 論理・推論 are what code computes from the words of the items."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, count, pairwise, permutations, product
from pathlib import Path

import pytest

from data.suites import load_suite

ITEMS = {item.id: item for item in load_suite("kumiawase-ja", Path()).items}

Point = tuple[Fraction, Fraction]


def math_004() -> int:
    full = 40 * 600 * 75 // 100
    return next(n for n in range(20, 40) if full < n * 600 * 90 // 100)


def math_005() -> int:
    showa = [(1925 + year, year) for year in range(2, 64)]
    heisei = [(1988 + year, year) for year in range(2, 31)]
    return sum(western % year == 0 for western, year in showa + heisei)


def _layings(free: frozenset[tuple[int, int]], half: bool) -> list[list[set[tuple[int, int]]]]:
    """Return the ways to lay mats of two cells, and one of a cell if `half`, on free cells."""
    if not free:
        return [] if half else [[]]
    row, column = first = min(free)
    mats = [{first, (row, column + 1)}, {first, (row + 1, column)}] + [{first}] * half
    return [
        [mat, *rest]
        for mat in mats
        if mat <= free
        for rest in _layings(free - mat, half and len(mat) > 1)
    ]


def math_006() -> int:
    corners = [set(product((r, r + 1), (c, c + 1))) for r, c in product(range(2), range(2))]
    layings = _layings(frozenset(product(range(3), range(3))), half=True)
    return sum(all(any(len(m & four) > 1 for m in mats) for four in corners) for mats in layings)


def _seconds(hours: int, minutes: int, seconds: int) -> int:
    return hours * 3600 + minutes * 60 + seconds


def math_007() -> int:
    begin, goal = _seconds(9, 0, 0), _seconds(12, 53, 50)
    leader = [_seconds(10, 31, 50), _seconds(11, 2, 40), _seconds(11, 48, 5)]
    north = [_seconds(10, 41, 15), _seconds(11, 14, 25), _seconds(12, 1, 30)]
    starts = [begin] + [min(n, first + 600) for n, first in zip(north, leader, strict=True)]
    total = sum(end - start for start, end in zip(starts, [*north, goal], strict=True))
    assert total % 60 == 0
    return total // 60


def math_008() -> float:
    rows = list(combinations(range(10), 3))  # where the red balls lie in the order of drawing
    return sum(row[0] % 3 == 0 for row in rows) / len(rows)


def _area(corners: list[Point]) -> Fraction:
    edges = pairwise([*corners, corners[0]])
    return abs(sum((x * v - y * u for (x, y), (u, v) in edges), Fraction(0))) / 2


def _left_of(corners: list[Point], limit: int) -> list[Point]:
    """Return the part of a polygon with x up to the limit."""
    kept: list[Point] = []
    for (x, y), (u, v) in pairwise([*corners, corners[0]]):
        if x <= limit:
            kept.append((x, y))
        if (x - limit) * (u - limit) < 0:
            kept.append((Fraction(limit), y + (v - y) * (limit - x) / (u - x)))
    return kept


def math_009() -> Fraction:
    side, to = 18, (6, 18)  # A = (0, 0) comes to P
    square = sum(c * c for c in to)

    def crease(x: int) -> Fraction:  # as far from A as from P
        return (Fraction(square, 2) - x * to[0]) / to[1]

    def fold(x: Fraction, y: Fraction) -> Point:  # mirrored in the crease
        beyond = 1 - 2 * (x * to[0] + y * to[1]) / square
        return x + beyond * to[0], y + beyond * to[1]

    none = Fraction(0)
    flap = [(none, none), (none + side, none), (none + side, crease(side)), (none, crease(0))]
    folded = [fold(x, y) for x, y in flap]
    assert all(0 <= x and 0 <= y <= side for x, y in folded)  # it sticks out on the right only
    return _area(_left_of(folded, side))


def math_010() -> int:
    def signs(year: int) -> tuple[int, int, int]:
        return year % 10, year % 12, year % 9

    return next(year for year in count(1987) if signs(year) == signs(1986))


def math_011() -> int:
    sheets = product(range(1000 // 62 + 1), range(1000 // 82 + 1), range(1000 // 10 + 1))
    return min(a + b + c for a, b, c in sheets if 62 * a + 82 * b + 10 * c == 1000)


def math_012() -> int:
    times = {f"{hour:02}{minute:02}" for hour in range(24) for minute in range(60)}
    turned = str.maketrans("0125869347", "0125896xxx")
    return sum(time.translate(turned)[::-1] in times - {time} for time in times)


def math_013() -> int:
    # In what one counter serves in a minute: queue + 40 r = 4 * 40 and queue + 20 r = 6 * 20.
    ((queue, rate),) = (
        (q, r)
        for q, r in product(range(161), range(9))
        if q + 40 * r == 4 * 40 and q + 20 * r == 6 * 20
    )
    return next(n for n in count(3) if queue + 30 * rate == 20 * 3 + 10 * n)


def math_014() -> int:
    prices = {price * 108 // 100 for price in range(1, 1001)}
    return len(set(range(1, 1001)) - prices)


def _poured(state: tuple[int, ...]) -> set[tuple[int, ...]]:
    states = set()
    for one, other in permutations(range(3), 2):
        moved = min(state[one], (13, 8, 5)[other] - state[other])
        change = {one: -moved, other: moved}
        states.add(tuple(oil + change.get(i, 0) for i, oil in enumerate(state)))
    return states


def math_015() -> int:
    states: set[tuple[int, ...]] = {(13, 0, 0)}
    for moves in count():
        if any(7 in state for state in states):
            return moves
        states = {after for state in states for after in _poured(state)}
    raise AssertionError


def math_016() -> int:
    def ways(step: int) -> int:
        if step in {4, 9} or step > 12:
            return 0
        return 1 if step == 12 else sum(ways(step + stride) for stride in (1, 2, 3))

    return ways(0)


def logic_004() -> str:
    names = ("八木", "秋山", "大塚", "川村", "島田", "土屋", "林", "松井")

    def fits(order: tuple[str, ...]) -> bool:
        yagi, akiyama, _, kawamura, shimada, tsuchiya, hayashi, matsui = map(order.index, names)
        beside = {(shimada + 1) % 8, (shimada - 1) % 8}
        return (
            shimada == (yagi + 3) % 8
            and akiyama == (tsuchiya + 3) % 8
            and {yagi, kawamura} == {(hayashi + 1) % 8, (hayashi - 1) % 8}
            and not beside & {tsuchiya, matsui}
        )

    # Each order goes to the right, and one seat can be kept.
    orders = [(names[0], *rest) for rest in permutations(names[1:])]
    (left,) = {order[order.index("大塚") - 1] for order in orders if fits(order)}
    return left


def logic_005() -> dict[str, str]:
    def fits(eldest_first: tuple[str, ...]) -> bool:
        mother, masaki, yoshio, setsuko = map(eldest_first.index, ("母", "正樹", "良夫", "節子"))
        return (
            (masaki > setsuko) + (yoshio > setsuko) == 1
            and yoshio > mother > masaki
            and not mother > setsuko
        )

    orders = permutations(("母", "正樹", "良夫", "節子"))
    ((*order,),) = [order for order in orders if fits(order)]

    def sign(child: str) -> str:
        return "伯" if order.index(child) < order.index("母") else "叔"

    of = {"正樹": ("正樹", "父"), "良夫": ("良夫", "父"), "節子": ("節子", "母")}
    of |= {"修": ("節子", "父"), "千春": ("正樹", "母")}
    return {name: sign(child) + word for name, (child, word) in of.items()}


def logic_006() -> dict[str, list[int]]:
    # (red, fragile, paper); None is not known yet.
    boxes: list[tuple[bool | None, ...]] = [
        (True, None, True),
        (False, None, True),
        (None, True, True),
        (None, False, False),
        (False, None, False),
        (False, False, None),
    ]

    def can_break(box: tuple[bool | None, ...]) -> bool:
        cases = product(*((True, False) if known is None else (known,) for known in box))
        return any((red and not frail) or (frail and not paper) for red, frail, paper in cases)

    return {"調べる箱": [number for number, box in enumerate(boxes, 1) if can_break(box)]}


def logic_007() -> str:
    slots = [f"{d}曜日の{time}" for d, time in ("金夜", "土昼", "土夜", "日昼", "日夜", "月昼")]
    (left,) = (
        slot
        for slot in slots
        if (slot[-1] == "夜" or slot[0] == "日")
        and slot[0] not in "金土"
        and slot != "日曜日の昼"
        and slot[0] != "月"
    )
    return left


def logic_008() -> dict[str, int]:
    # What people do not like: (そば, うどん, すし, 天ぷら); no one likes うどん but not そば.
    kinds = [k for k in product((0, 1), repeat=4) if any(k) and not (k[0] and not k[1])]
    wanted = (30 - 25, 30 - 21, 30 - 24, 30 - 23)
    layer: set[tuple[int, ...]] = {(0, 0, 0, 0)}
    sizes = []
    for people in range(31):  # so many of whom each dislikes something
        if wanted in layer:
            sizes.append(people)
        grown = {tuple(map(sum, zip(s, k, strict=True))) for s in layer for k in kinds}
        layer = {s for s in grown if all(a <= b for a, b in zip(s, wanted, strict=True))}
    return {"最少": 30 - max(sizes), "最多": 30 - min(sizes)}


def logic_009() -> dict[str, str]:
    iroha = "いろはにほへとちりぬるをわかよたれそつねならむ"
    iroha += "うゐのおくやまけふこえてあさきゆめみしゑひもせす"
    assert len(set(iroha)) == len(iroha) == 47
    return {"もとの言葉": "".join(iroha[iroha.index(kana) - 2] for kana in "けふゆまう")}


def logic_010() -> dict[str, str]:
    names = ("浅井", "今村", "臼井", "遠藤", "小川")

    def fits(order: tuple[str, ...]) -> bool:
        asai, imamura, usui, endo, ogawa = (order.index(name) + 1 for name in names)
        said = (
            (asai == 4, usui == 2),
            (imamura == 2, asai == 1),
            (usui == 4, ogawa == 3),
            (endo == 5, asai == 3),
            (ogawa == 2, usui == 1),
        )
        return all(one != other for one, other in said)

    (found,) = filter(fits, permutations(names))
    return {f"{rank}位": name for rank, name in enumerate(found, 1)}


def _trip(spa: dict[str, str], month: dict[str, int], gift: dict[str, str]) -> bool:
    """Whether a trip fits; spa and gift: name of the place or thing -> who."""
    kusatsu, gero, kinosaki, dogo = (spa[name] for name in ("草津", "下呂", "城崎", "道後"))
    towel = gift["手ぬぐい"]
    return (
        month[gift["湯呑み"]] == month[kinosaki] + 3
        and month["石田"] > month["岩井"]
        and dogo not in {"石田", "植村"}
        and month[dogo] == 7
        and gift["羊羹"] == kusatsu
        and month[kusatsu] != 4
        and month["榎本"] != 7
        and gift["入浴剤"] != "榎本"
        and towel != gero
        and month[towel] > month[kinosaki]
    )


def logic_011() -> dict[str, str]:
    people = ("石田", "岩井", "植村", "榎本")
    places = ("草津", "下呂", "城崎", "道後")
    spas = [dict(zip(places, p, strict=True)) for p in permutations(people)]
    months = [dict(zip(people, m, strict=True)) for m in permutations((1, 4, 7, 10))]
    things = ("入浴剤", "手ぬぐい", "羊羹", "湯呑み")
    gifts = [dict(zip(things, p, strict=True)) for p in permutations(people)]
    ((spa, month, gift),) = (found for found in product(spas, months, gifts) if _trip(*found))
    return {
        "石田さんの温泉": next(name for name in spa if spa[name] == "石田"),
        "城崎に行った人": spa["城崎"],
        "榎本さんの土産": next(name for name in gift if gift[name] == "榎本"),
        "7月に出かけた人の土産": next(name for name in gift if month[gift[name]] == 7),
    }


def logic_012() -> int:
    rooms = [202, 203, 301, 302, 304, 306, 401, 404, 406, 502, 603, 605]
    # Which digit the speaker was told, and whether the speaker knows the room.
    for place, knows in ((100, False), (1, False), (100, False), (1, True)):
        told = [room // place % 10 for room in rooms]
        alone = [told.count(digit) == 1 for digit in told]
        rooms = [room for room, one in zip(rooms, alone, strict=True) if one == knows]
    (found,) = rooms
    return found


def logic_013() -> str:
    week = "月火水木金土日"

    def fits(first: int) -> bool:
        def dates(day: str) -> list[int]:
            return [d for d in range(1, 32) if (first + d - 1) % 7 == week.index(day)]

        paper, tins = dates("月")[0:3:2], dates("水")[1:4:2]
        row = any(day + 1 in dates("火") and day + 2 in tins for day in paper)
        return row and len(dates("金")) == 5

    (first,) = filter(fits, range(7))
    return f"{week[first]}曜日"


def logic_014() -> dict[str, str]:
    names = ("海斗", "大地", "翔", "陸", "蓮")
    known = {("大地", "海斗"), ("大地", "翔"), ("陸", "翔"), ("海斗", "蓮")}
    found = set()
    for bouts in product(*([(a, b), (b, a)] for a, b in combinations(names, 2))):
        wins = {name: sum(winner == name for winner, _ in bouts) for name in names}
        *_, low, last = order = sorted(names, key=lambda name: -wins[name])
        alone = wins[order[0]] == 3 > wins[order[1]] and wins[low] > wins[last]
        if alone and known | {(last, order[0])} <= set(bouts):
            found.add((order[0], last, "陸" if ("陸", "海斗") in bouts else "海斗"))
    (only,) = found
    return dict(zip(("優勝", "最下位", "陸と海斗の取組に勝った子"), only, strict=True))


def logic_015() -> str:
    claims: dict[str, Callable[[bool, bool, bool], bool]] = {
        "ア": lambda rain, few, _: not rain and not few,
        "イ": lambda rain, few, _: not rain or not few,
        "ウ": lambda _, few, decided: decided or not few,
        "エ": lambda rain, few, decided: not decided or rain or few,
        "オ": lambda _, few, decided: few or not decided,
    }
    held = [
        (rain, few, decided)
        for rain, few, decided in product((True, False), repeat=3)
        if decided or not (rain or few)
    ]
    (sure,) = (name for name, claim in claims.items() if all(claim(*day) for day in held))
    return sure


def logic_016() -> int:
    hours = ((7, 3), (4, 6), (9, 8), (3, 5), (6, 2))

    def ends(printing: tuple[int, ...], binding: tuple[int, ...]) -> int:
        printed, clock = {}, 0
        for job in printing:
            clock = printed[job] = clock + hours[job][0]
        clock = 0
        for job in binding:
            clock = max(clock, printed[job]) + hours[job][1]
        return clock

    return min(ends(*orders) for orders in product(permutations(range(5)), repeat=2))


GOLDS: dict[str, Callable[[], object]] = {
    name.replace("_", "-"): gold
    for name, gold in globals().copy().items()
    if name.startswith(("math_", "logic_"))
}


@pytest.mark.parametrize("name", GOLDS)
def test_the_gold_is_what_code_computes(name: str) -> None:
    assert ITEMS[name].target == GOLDS[name]()


def test_every_item_of_both_categories_is_computed() -> None:
    counted = {i for i in ITEMS if i.startswith(("math-", "logic-"))}
    first = {f"{kind}-00{number}" for kind in ("math", "logic") for number in (1, 2, 3)}
    assert counted - first == set(GOLDS)  # the first three stand in test_data_kumiawase_ja.py
