"""Kafka in a dictionary: what the agents would have made of some frames, without an agent."""

from collections import defaultdict
from zlib import crc32

from headroom.audit import Record, Sent, World
from headroom.audit.incarnations import read_book
from headroom.base.known_topics import KnownTopic, entry
from processors.ledger.assets import SumLedger
from processors.ledger.contributions import decode as decode_contribution
from processors.ledger.contributions import encode as encode_contribution
from processors.ledger.contributions import key_of
from processors.ledger.users import EMITS, UserState, fold
from processors.ledger.views import contributions, user_balances, user_exposure
from processors.normalise import NORMALISERS, RawFrame
from schemas import topics
from schemas.codec import decode, encode
from schemas.documents import AssetExposure, BalanceSnapshot, Source
from schemas.headers import DeadLetterOrigin, RawHeaders, cloud_event, dead_letter, read_receipt
from schemas.incarnations import named_at, parted
from schemas.rejections import Rejected
from schemas.times import time_ns_of
from schemas.venues import VENUES

TIME = "2024-03-13T22:00:25.310000000Z"
PARTITIONS = 3


class Pipeline:
    """Takes frames one by one and keeps the records that would follow."""

    def __init__(self, in_assets=()):
        self._in_assets = in_assets
        self.records = defaultdict(list)
        self.sent = []
        self._ends = defaultdict(int)
        self._users = {}
        self._rows = defaultdict(dict)
        self._sums = SumLedger()
        for partition in range(PARTITIONS):
            self._sums.load(partition, ())
        self._receipts = defaultdict(int)
        self.topics = {}

    def make_again(self, topic):
        """A raw topic is deleted and made again."""
        known = self.topics.get(topic) or KnownTopic(topic, "a")
        self.topics[topic] = known.replaced("b", PARTITIONS)
        self.records[topic] = []
        self._ends = defaultdict(int, {p: end for p, end in self._ends.items() if p[0] != topic})

    def lose_end(self, topic):
        """A raw topic loses the last record of each partition."""
        known = self.topics.get(topic) or KnownTopic(topic, "a")
        places = [(topic, partition) for partition in range(PARTITIONS)]
        begins = [max(0, self._ends[place] - 1) for place in places]
        kept = dict(zip(places, begins, strict=True))
        self.topics[topic] = known.shortened(tuple(begins))
        self._ends |= kept
        found = self.records[topic]
        self.records[topic] = [one for one in found if one.offset < kept[one.identity[:2]]]

    @property
    def incarnations(self):
        """As the audit reads them in the book."""
        return read_book(entry(topic) for topic in self.topics.values())

    def _identity(self, record):
        topic = self.topics.get(record.topic)
        history = () if topic is None else topic.history
        return named_at(record.topic, history, record.partition, record.offset)

    def frame(self, venue, frame, *, account, epoch=1, headers=None):
        """A venue sends a frame, a producer keeps it, and all that follows happens."""
        self.sent.append(Sent(venue, frame, f"{venue}.jsonl:{len(self.sent) + 1}"))
        if headers is None:
            self._receipts[venue, epoch] += 1
            receipt = self._receipts[venue, epoch]
            feed = VENUES[venue].feed
            headers = RawHeaders(venue, feed, epoch, receipt, TIME).encode()
        key = None if account is None else account.encode()
        record = self.append(VENUES[venue].raw_topic, key, frame, headers)
        self.normalise(venue, record)
        return record

    def append(self, topic, key, value, headers):
        partition = crc32(key or b"") % PARTITIONS
        offset = self._ends[topic, partition]
        self._ends[topic, partition] += 1
        record = Record(topic, partition, offset, key, value, tuple(headers))
        self.records[topic].append(record)
        return record

    def normalise(self, venue, record):
        receipt = read_receipt(record.headers, offset=record.offset, appended_ns=time_ns_of(TIME))
        source = Source(self._identity(record), record.partition, record.offset)
        outcome = NORMALISERS[venue](RawFrame(record.value, receipt, source))
        if isinstance(outcome, tuple):
            for number, one in enumerate(outcome):
                self._outcome(record, one, (number, len(outcome)))
        else:
            self._outcome(record, outcome, None)

    def _outcome(self, record, outcome, part):
        if isinstance(outcome, Rejected):
            origin = DeadLetterOrigin(
                *record.identity,
                stage="normalise",
                class_name="x",
                part=part,
                incarnation=parted(self._identity(record))[1],
            )
            headers = dead_letter(
                origin, reason=outcome.reason, detail=outcome.detail, own=record.headers
            )
            self.append(topics.DEAD_LETTERS, record.key, record.value, headers)
            return
        place = f"{self._identity(record)}/{record.partition}/{record.offset}"
        identity = place if part is None else f"{place}/{part[0]}"
        event = self._event(topics.BALANCES, outcome.user, identity)
        if part is not None:
            event.append(("headroom.parts", str(part[1]).encode()))
        made = self.append(topics.BALANCES, outcome.user.encode(), encode(outcome), event)
        self.fold_user(made)

    def fold_user(self, record):
        snapshot = decode(record.value, BalanceSnapshot)
        row = self._users.get(snapshot.user)
        folded = fold(None if row is None else decode(row, UserState), snapshot)
        if folded.verdict not in EMITS:
            return
        self._users[snapshot.user] = encode(folded.state)
        for topic, document in (
            (topics.BALANCES_LATEST, user_balances(folded.state)),
            (topics.EXPOSURE_USER, user_exposure(folded.state, self._in_assets)),
        ):
            value = None if document is None else encode(document)
            self._publish(topic, snapshot.user, value, folded.state.version)
        for share in contributions(folded):
            self._fold_asset(decode_contribution(encode_contribution(share)))

    def _fold_asset(self, share):
        partition = crc32(key_of(share)) % PARTITIONS
        rows = self._rows[partition]
        changes = self._sums.fold(partition, [share], lambda keys: [rows.get(key) for key in keys])
        rows |= changes.rows
        for emission in changes.emissions:
            document = emission.document
            if isinstance(document, AssetExposure):
                topic, name = topics.EXPOSURE_ASSET, document.asset
            else:
                topic, name = topics.EXPOSURE_BASE, document.base_currency
            self._publish(topic, name, encode(document), document.version)

    def _publish(self, topic, key, value, version):
        self.append(topic, key.encode(), value, self._event(topic, key, f"{topic}/{key}/{version}"))

    def _event(self, topic, subject, event_id):
        return cloud_event(topic=topic, subject=subject, event_id=event_id, time=TIME)

    def world(self, **more):
        records = {name: list(found) for name, found in self.records.items()}
        return World(records, **{"incarnations": self.incarnations, **more})
