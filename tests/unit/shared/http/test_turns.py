"""Queries of the past are answered so many at once."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from shared.http.problem import BUSY, Problem
from shared.http.turns import PastTurns


def test_a_query_without_a_turn_is_told_the_setting_and_to_ask_again() -> None:
    turns, registry = PastTurns(2, "WAFERLINE_PAST_QUERIES_MAX"), CollectorRegistry()
    turns.export(registry)

    with turns.take(), turns.take():
        with pytest.raises(Problem, match="WAFERLINE_PAST_QUERIES_MAX") as refused, turns.take():
            pytest.fail("a third one has a turn")
        assert b"waferline_past_queries 2.0" in generate_latest(registry)

    assert (refused.value.kind, refused.value.headers) == (BUSY, {"Retry-After": "5"})
    with turns.take(), turns.take():
        pass
    assert b"waferline_past_queries 0.0" in generate_latest(registry)


def test_a_query_that_fails_gives_its_turn_back() -> None:
    turns = PastTurns(1, "WAFERLINE_PAST_QUERIES_MAX")

    with pytest.raises(ValueError, match="no such day"), turns.take():
        raise ValueError("no such day")
    with turns.take():
        pass
