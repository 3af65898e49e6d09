package headroom.bench;

import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.QueryableStoreTypes;

/**
 * Kafka Streams doing the benchmark's job, one stream thread, until it is told to stop.
 *
 * <p>Arguments: `name=value` of the harness's options; `mode` is `job` or `restore`.
 */
public final class Main {
  private Main() {}

  public static void main(final String[] arguments) throws Exception {
    final Map<String, String> options = new HashMap<>();
    for (final String argument : arguments) {
      final int at = argument.indexOf('=');
      options.put(argument.substring(0, at), argument.substring(at + 1));
    }
    final boolean restore = options.get("mode").equals("restore");
    final boolean cached = !options.get("emit").equals("every");
    final Topology topology = restore ? Topologies.restore(options) : Topologies.job(options);
    final KafkaStreams streams = new KafkaStreams(topology, settings(options, cached));
    final CountDownLatch over = new CountDownLatch(1);
    streams.setUncaughtExceptionHandler(
        error -> {
          error.printStackTrace();
          Runtime.getRuntime().halt(1);
          return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
    if (restore) {
      tellOfRestore(streams);
    }
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  streams.close();
                  over.countDown();
                }));
    say("started", System.currentTimeMillis());
    streams.start();
    over.await();
  }

  private static Properties settings(final Map<String, String> options, final boolean cached) {
    final Properties settings = new Properties();
    settings.put(StreamsConfig.APPLICATION_ID_CONFIG, options.get("group"));
    settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("bootstrap"));
    settings.put(StreamsConfig.STATE_DIR_CONFIG, options.get("data_dir"));
    settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
    settings.put(
        StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
        options.get("guarantee").equals("exactly_once")
            ? StreamsConfig.EXACTLY_ONCE_V2
            : StreamsConfig.AT_LEAST_ONCE);
    settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, options.get("commit_ms"));
    settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, cached ? 64L << 20 : 0L);
    settings.put(
        StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class.getName());
    settings.put(
        StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class.getName());
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.ACKS_CONFIG), "all");
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 262_144);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 5);
    settings.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 128L << 20);
    settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG), 20);
    return settings;
  }

  /** Says on standard output when all partitions are restored, and how many rows there are. */
  private static void tellOfRestore(final KafkaStreams streams) {
    streams.setStateListener(
        (state, before) -> {
          if (state == KafkaStreams.State.RUNNING) {
            say("restored", System.currentTimeMillis());
            new Thread(() -> count(streams)).start();
          }
        });
  }

  private static void say(final String word, final long number) {
    System.out.println(word + " " + number);
  }

  private static void count(final KafkaStreams streams) {
    long rows = 0;
    try (var all =
        streams
            .store(
                StoreQueryParameters.fromNameAndType(
                    Topologies.RESTORED, QueryableStoreTypes.<byte[], byte[]>keyValueStore()))
            .all()) {
      while (all.hasNext()) {
        all.next();
        rows++;
      }
    }
    say("rows", rows);
  }
}
