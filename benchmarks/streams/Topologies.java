package headroom.bench;

import java.util.Map;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The job in its three forms, and a table to restore.
 *
 * <p>`every` and `cached`: the Processor API, each version of an exposure is sent; without and with
 * the record cache in front of the store. `latest`: a KTable of the DSL behind its cache, which
 * forwards only the newest version of each key at every commit.
 */
final class Topologies {
  static final String RESTORED = "rows";
  private static final String USERS = "users";
  private static final Serdes.ByteArraySerde BYTES = new Serdes.ByteArraySerde();

  private Topologies() {}

  static Topology job(final Map<String, String> options) {
    final String prefix = options.get("prefix");
    final String balances = prefix + Documents.BALANCES;
    final String exposure = prefix + Documents.EXPOSURE_USER;
    if (options.get("emit").equals("latest")) {
      return latest(options.get("raw"), prefix, balances, exposure);
    }
    final Topology topology = new Topology();
    final var key = BYTES.deserializer();
    addNormalise(topology, options.get("raw"), prefix, balances);
    topology.addSource("snapshots", key, key, balances);
    topology.addProcessor(USERS, () -> new UsersProcessor(USERS, prefix), "snapshots");
    final var store =
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(USERS), BYTES, BYTES)
            .withLoggingEnabled(Map.of());
    topology.addStateStore(
        options.get("emit").equals("cached")
            ? store.withCachingEnabled()
            : store.withCachingDisabled(),
        USERS);
    topology.addSink("exposure", exposure, BYTES.serializer(), BYTES.serializer(), USERS);
    return topology;
  }

  private static Topology latest(
      final String raw, final String prefix, final String balances, final String exposure) {
    final StreamsBuilder builder = new StreamsBuilder();
    builder.stream(balances, Consumed.with(BYTES, BYTES))
        .groupByKey(Grouped.with(BYTES, BYTES))
        .aggregate(
            () -> null,
            (key, value, row) -> UserState.foldedRow(row, value),
            Materialized.<byte[], byte[], KeyValueStore<Bytes, byte[]>>as(USERS)
                .withKeySerde(BYTES)
                .withValueSerde(BYTES)
                .withLoggingEnabled(Map.of())
                .withCachingEnabled())
        .toStream()
        .process(() -> new ExposureProcessor(prefix))
        .to(exposure, Produced.with(BYTES, BYTES));
    final Topology topology = builder.build();
    addNormalise(topology, raw, prefix, balances);
    return topology;
  }

  private static void addNormalise(
      final Topology topology, final String raw, final String prefix, final String balances) {
    final var read = BYTES.deserializer();
    final var write = BYTES.serializer();
    topology.addSource("raw", read, read, raw);
    topology.addProcessor("normalise", NormaliseProcessor::new, "raw");
    topology.addSink(NormaliseProcessor.BALANCES, balances, write, write, "normalise");
    topology.addSink(
        NormaliseProcessor.DEAD_LETTERS,
        prefix + Documents.DEAD_LETTERS,
        write,
        write,
        "normalise");
  }

  static Topology restore(final Map<String, String> options) {
    final Topology topology = new Topology();
    final var read = BYTES.deserializer();
    topology.addSource("input", read, read, options.get("raw"));
    topology.addProcessor("keep", () -> new UsersProcessor(RESTORED, ""), "input");
    topology.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(RESTORED), BYTES, BYTES)
            .withLoggingEnabled(Map.of()),
        "keep");
    return topology;
  }
}
