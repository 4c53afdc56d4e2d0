"""The order of ready tasks, simulated on packaged templates and made-up graphs: how long two agents take."""

from __future__ import annotations

import pytest

from tests.makespan import BOARDS, GRAPHS, ORDERS, Graph, makespan, over_lower_bound

LAST_IS_LONG = Graph(needs=((), (), (), (2,), (3,)), minutes=(1.0,) * 5)


@pytest.mark.parametrize("board", BOARDS)
def test_our_order_is_not_worse_than_plan_order_on_the_mean(board: str) -> None:
    ours, planned = (over_lower_bound(ORDERS[name], BOARDS[board]()) for name in ("longest chain", "plan order"))
    assert ours <= planned


def test_the_longest_chain_first_ends_sooner_where_it_was_planned_last() -> None:
    assert makespan(LAST_IS_LONG, ORDERS["longest chain"]) == 3
    assert makespan(LAST_IS_LONG, ORDERS["plan order"]) == 4


@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", ORDERS)
def test_no_order_beats_the_lower_bound_or_leaves_an_agent_idle_for_all_of_it(name: str, board: str) -> None:
    assert GRAPHS >= 48
    for graph in BOARDS[board]():
        assert graph.lower_bound(2) <= makespan(graph, ORDERS[name]) + 1e-9
        assert makespan(graph, ORDERS[name], agents=1) == pytest.approx(sum(graph.minutes))
