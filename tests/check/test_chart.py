"""The chart's copy of the topics and rights is the one that they are."""

from tests.chart import kafka


def test_the_chart_knows_the_topics_and_rights_of_today() -> None:
    """If not: `python -m tests.chart.kafka`."""
    assert kafka.PATH.read_text("utf-8") == kafka.text()
