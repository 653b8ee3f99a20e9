"""Each tape in 25 orders, with duplicates: one state hash, and one set of answers."""

import pytest

from services.ledger.store.reader import open_reader
from testing.played import HORIZON, Played, answers, play, questions, shuffled
from tests.cases.tapes import NAMES, RECORDED, RECORDED_ON, THROUGH, tape

SHUFFLES = 25


def asked_of(log):
    suppliers = {event["data"].get("supplier", event["source"]) for event in log} & {"samsung", "skhynix"}
    return questions(day=THROUGH, suppliers=sorted(suppliers))


@pytest.mark.parametrize("name", NAMES)
def test_any_order_comes_to_one_state_and_one_set_of_answers(name):
    log, on = tape(name), RECORDED_ON.get(name, RECORDED)
    kept = play(log, on=on)
    expected = answers(kept, asked_of(log))

    for seed in range(SHUFFLES):
        again = play(shuffled(log, seed), on=on, batches=1 + seed % 3)
        assert again.state_hash == kept.state_hash, f"shuffle {seed}"
        assert answers(again, asked_of(log)) == expected, f"shuffle {seed}"


@pytest.mark.parametrize("name", NAMES)
def test_a_replay_of_the_store_and_postgresql_come_to_that_state_and_those_answers(name, tmp_path, postgres_store):
    log, on = tape(name), RECORDED_ON.get(name, RECORDED)
    kept = play(log, on=on)
    play(log, on=on, path=tmp_path / "ledger.db").store.close()
    replayed, postgres = Played(open_reader(tmp_path / "ledger.db"), HORIZON), play(log, on=on, path=postgres_store)
    postgres.store.close()

    assert replayed.state_hash == postgres.state_hash == kept.state_hash
    assert answers(replayed, asked_of(log)) == answers(postgres, asked_of(log)) == answers(kept, asked_of(log))
