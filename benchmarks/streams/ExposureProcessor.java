package headroom.bench;

import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/** Rows that the cache lets go become exposures. */
final class ExposureProcessor implements Processor<byte[], byte[], byte[], byte[]> {
  private final String prefix;
  private ProcessorContext<byte[], byte[]> context;

  ExposureProcessor(final String topicPrefix) {
    prefix = topicPrefix;
  }

  @Override
  public void init(final ProcessorContext<byte[], byte[]> given) {
    context = given;
  }

  @Override
  public void process(final Record<byte[], byte[]> record) {
    context.forward(UserState.decode(record.value()).exposure(prefix, record.timestamp()));
  }
}
