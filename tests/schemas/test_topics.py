"""Topics: names, values and settings are the contract's."""

import pytest

from schemas import documents, feeds
from schemas.topics import FRAME_BYTES_MAX, PARTITIONS_DEFAULT, TOPICS

DAY_MS = 86_400_000
PUBLIC = {
    "raw.sfox.balances.v1": ("delete", None),
    "raw.hercle.balances.v1": ("delete", None),
    "balances.v1": ("delete", documents.BalanceSnapshot),
    "balances.latest.v1": ("compact", documents.UserBalances),
    "exposure.user.v1": ("compact", documents.UserExposure),
    "exposure.asset.v1": ("compact", documents.AssetExposure),
    "exposure.base.v1": ("compact", documents.BaseExposure),
    "alerts.v1": ("delete", documents.LimitAlert),
    "feeds.v1": ("compact", feeds.FeedStatus),
    "unconfirmed.v1": ("compact", feeds.UnconfirmedAccount),
    "deadletters.v1": ("delete", None),
}


def test_the_public_topics_are_those_of_the_contract() -> None:
    public = {name: (topic.cleanup, topic.value) for name, topic in TOPICS.items() if topic.public}
    assert public == PUBLIC
    assert all(name == topic.name for name, topic in TOPICS.items())


def test_a_private_topic_says_so_in_its_name_and_a_public_one_does_not() -> None:
    for topic in TOPICS.values():
        assert topic.public != topic.name.startswith("headroom-")


@pytest.mark.parametrize("name", TOPICS)
def test_the_settings_of_a_topic_are_those_of_the_contract(name: str) -> None:
    settings = TOPICS[name].settings(replication_factor=3)
    cleanup = TOPICS[name].cleanup
    assert settings["cleanup.policy"] == cleanup
    assert all(isinstance(value, str) for value in settings.values())
    if cleanup == "delete":
        assert settings["retention.ms"] == str(30 * DAY_MS)
    else:
        assert "retention.ms" not in settings
        # What is told every second is not kept for a day: whoever starts reads it all.
        kept_ms = 600_000 if name in ("feeds.v1", "headroom-feeds.v1") else DAY_MS
        assert settings["max.compaction.lag.ms"] == settings["segment.ms"] == str(kept_ms)
        assert int(settings["delete.retention.ms"]) >= DAY_MS


@pytest.mark.parametrize("name", TOPICS)
def test_the_largest_frame_fits_into_every_topic(name: str) -> None:
    settings = TOPICS[name].settings(replication_factor=1)
    assert FRAME_BYTES_MAX == 16 * 1024 * 1024
    assert int(settings["max.message.bytes"]) > FRAME_BYTES_MAX


@pytest.mark.parametrize(("replicas", "insync"), [(1, "1"), (2, "1"), (3, "2"), (5, "4")])
def test_one_replica_may_be_down(replicas: int, insync: str) -> None:
    settings = TOPICS["balances.v1"].settings(replication_factor=replicas)
    assert settings["min.insync.replicas"] == insync


def test_there_are_eight_partitions_unless_it_is_said_otherwise() -> None:
    assert PARTITIONS_DEFAULT == 8
