"""Who of the connected goes, and when: by what each is at, without any socket."""

import resource

import pytest

from processors.http.crowd import Bounds, Crowd, Doing, descriptors

BOUNDS = Bounds(
    connections_max=3, spare=2, request_seconds=10.0, answer_seconds=30.0, idle_seconds=75.0
)


class One:
    """A connection that does what the test says."""

    def __init__(self, doing: Doing = Doing.ASKING) -> None:
        self.at: tuple[Doing, object] = (doing, None)
        self.is_dropped = False

    def doing(self) -> tuple[Doing, object]:
        return self.at

    def drop(self) -> None:
        self.is_dropped = True


def three(crowd: Crowd, *doings: Doing) -> list[One]:
    found = [One(doing) for doing in doings]
    for second, one in enumerate(found):
        assert crowd.came(one, float(second)) is None
    return found


@pytest.mark.parametrize(
    ("doing", "seconds"), [(Doing.ASKING, 10.0), (Doing.ANSWERED, 30.0), (Doing.IDLE, 75.0)]
)
def test_who_takes_too_long_goes(doing: Doing, seconds: float) -> None:
    crowd, one = Crowd(BOUNDS), One(doing)
    crowd.came(one, 0.0)
    assert crowd.look(seconds) == []
    assert crowd.look(seconds + 0.1) == [(one, doing)]
    assert one.is_dropped
    assert len(crowd) == 0


def test_each_request_has_its_own_time() -> None:
    crowd, one = Crowd(BOUNDS), One()
    crowd.came(one, 0.0)
    for number in range(10):
        one.at = (Doing.ANSWERED, number)
        assert crowd.look(29.0 * number) == []
    assert not one.is_dropped


def test_a_stream_is_not_looked_after() -> None:
    crowd, one = Crowd(BOUNDS), One(Doing.STREAMED)
    crowd.came(one, 0.0)
    assert crowd.look(1e9) == []


def test_for_a_new_one_goes_who_never_asked_then_who_is_idle() -> None:
    crowd = Crowd(BOUNDS)
    idle, asking, answered = three(crowd, Doing.IDLE, Doing.ASKING, Doing.ANSWERED)
    assert crowd.came(One(Doing.ANSWERED), 5.0) is asking
    assert crowd.came(One(Doing.ANSWERED), 6.0) is idle
    assert asking.is_dropped
    assert idle.is_dropped
    assert not answered.is_dropped


def test_of_those_who_never_asked_the_oldest_goes() -> None:
    crowd = Crowd(BOUNDS)
    first, _, _ = three(crowd, Doing.ASKING, Doing.ASKING, Doing.ASKING)
    assert crowd.came(One(), 4.0) is first


def test_where_all_are_answered_some_are_let_in_for_probes_and_no_more() -> None:
    crowd = Crowd(BOUNDS)
    three(crowd, *3 * [Doing.ANSWERED])
    spare = [One(Doing.ANSWERED), One(Doing.ANSWERED)]
    assert [crowd.came(one, 4.0) for one in spare] == [None, None]
    assert [crowd.is_spare(one) for one in spare] == [True, True]
    last = One(Doing.ANSWERED)
    assert crowd.came(last, 5.0) is last
    assert last.is_dropped
    assert len(crowd) == 5


def test_one_too_many_is_none_once_there_is_room() -> None:
    crowd = Crowd(BOUNDS)
    first, *_ = three(crowd, *3 * [Doing.ANSWERED])
    late = One()
    crowd.came(late, 4.0)
    assert crowd.is_spare(late)
    crowd.left(first)
    assert not crowd.is_spare(late)


def test_half_of_what_a_process_may_have_is_for_connections() -> None:
    assert Bounds(connections_max=2_000).within(1_024).connections_max == 496
    assert Bounds(connections_max=100).within(1_024).connections_max == 100
    assert Bounds().within(4).connections_max == 1


def test_a_process_asks_for_all_it_may_have() -> None:
    found = descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert soft == hard
    assert found == (1 << 20 if hard == resource.RLIM_INFINITY else hard)
