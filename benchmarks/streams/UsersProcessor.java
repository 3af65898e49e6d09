package headroom.bench;

import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** Snapshots become the user's row and an exposure, each version of it. */
final class UsersProcessor implements Processor<byte[], byte[], byte[], byte[]> {
  private final String name;
  private final String prefix;
  private ProcessorContext<byte[], byte[]> context;
  private KeyValueStore<byte[], byte[]> users;

  UsersProcessor(final String store, final String topicPrefix) {
    name = store;
    prefix = topicPrefix;
  }

  @Override
  public void init(final ProcessorContext<byte[], byte[]> given) {
    context = given;
    users = given.getStateStore(name);
  }

  @Override
  public void process(final Record<byte[], byte[]> record) {
    final UserState state = UserState.folded(users.get(record.key()), record.value());
    if (state != null) {
      users.put(record.key(), state.encode());
      context.forward(state.exposure(prefix, record.timestamp()));
    }
  }
}
