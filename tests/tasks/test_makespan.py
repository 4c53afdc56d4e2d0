"""The order of ready tasks, simulated on seeded graphs: how long two agents take."""

from __future__ import annotations

import pytest

from tests.makespan import GRAPHS, ORDERS, Graph, graphs, makespan, over_lower_bound

LAST_IS_LONG = Graph(needs=((), (), (), (2,), (3,)), minutes=(1.0,) * 5)


def test_our_order_is_not_worse_than_plan_order_on_the_mean() -> None:
    assert over_lower_bound(ORDERS["longest chain"]) <= over_lower_bound(ORDERS["plan order"])


def test_the_longest_chain_first_ends_sooner_where_it_was_planned_last() -> None:
    assert makespan(LAST_IS_LONG, ORDERS["longest chain"]) == 3
    assert makespan(LAST_IS_LONG, ORDERS["plan order"]) == 4


@pytest.mark.parametrize("name", ORDERS)
def test_no_order_beats_the_lower_bound_or_leaves_an_agent_idle_for_all_of_it(name: str) -> None:
    assert GRAPHS >= 48
    for graph in graphs():
        assert graph.lower_bound(2) <= makespan(graph, ORDERS[name]) + 1e-9
        assert makespan(graph, ORDERS[name], agents=1) == pytest.approx(sum(graph.minutes))
