"""The plan is a pure function of its seed, and its faults do not trip over each other."""

import random

import pytest

from tests.soak.nemesis import FAULTS
from tests.soak.plan import ALONE, CALM, CLUSTER, KINDS, schedule


def test_the_same_seed_makes_the_same_plan_whatever_chance_did_elsewhere() -> None:
    before = schedule(7, 300)
    random.seed(1)
    assert schedule(7, 300) == before
    assert schedule(8, 300) != before


def test_a_plan_of_minutes_meets_every_kind_of_fault() -> None:
    assert {strike.fault for strike in schedule(1, 300)} == set(ALONE)


def test_only_the_wanted_faults_are_planned() -> None:
    assert {strike.fault for strike in schedule(1, 60, ["kill", "cut"])} == {"kill", "cut"}
    assert schedule(1, 60, []) == []


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("names", "machines", "pace"), [(ALONE, 1, 1.0), (tuple(KINDS), 3, 2.0)])
def test_one_target_has_one_fault_at_a_time_and_all_are_healed_before_the_end(
    seed: int, names: tuple[str, ...], machines: int, pace: float
) -> None:
    ends: dict[str, float] = {}
    strikes = schedule(seed, 120, names, machines, pace)
    assert [strike.at for strike in strikes] == sorted(strike.at for strike in strikes)
    for strike in strikes:
        for target in KINDS[strike.fault].targets:
            assert strike.at >= ends.get(target, 0.0) + CALM * pace - 0.01
            ends[target] = strike.at + strike.parameters["seconds"]
            assert ends[target] <= 120.01


def test_faults_of_a_cluster_strike_each_machine_but_the_disasters_only_if_they_are_wanted() -> None:
    strikes = schedule(1, 1200, CLUSTER, 3)
    assert {strike.fault for strike in strikes} == set(CLUSTER)
    assert {strike.parameters["which"] for strike in strikes} == {0, 1, 2}
    assert not {"deleted", "rolled-back", "upgrade"} & set(CLUSTER)


def test_the_nemesis_knows_how_to_do_each_fault() -> None:
    assert set(FAULTS) == set(KINDS)
