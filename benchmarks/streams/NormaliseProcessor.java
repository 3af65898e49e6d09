package headroom.bench;

import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/** Raw frames become snapshots or dead letters, each exactly one of them. */
final class NormaliseProcessor implements Processor<byte[], byte[], byte[], byte[]> {
  static final String BALANCES = "balances";
  static final String DEAD_LETTERS = "dead-letters";

  private ProcessorContext<byte[], byte[]> context;

  @Override
  public void init(final ProcessorContext<byte[], byte[]> given) {
    context = given;
  }

  @Override
  public void process(final Record<byte[], byte[]> record) {
    final RecordMetadata at = context.recordMetadata().orElseThrow();
    final Receipt receipt = Receipt.of(record.headers(), at.offset(), record.timestamp());
    final byte[] data = record.value() == null ? new byte[0] : record.value();
    try {
      final Snapshot snapshot =
          Frames.normalise(data, receipt, at.topic(), at.partition(), at.offset());
      final String id = at.topic() + "/" + at.partition() + "/" + at.offset();
      final RecordHeaders headers =
          Documents.cloudEvent(Documents.BALANCES, snapshot.user(), id, snapshot.receivedTime());
      context.forward(
          new Record<>(
              Documents.utf8(snapshot.user()), snapshot.encode(), record.timestamp(), headers),
          BALANCES);
    } catch (final Rejected rejected) {
      final RecordHeaders headers = new RecordHeaders(record.headers());
      headers.add("__connect.errors.topic", Documents.utf8(at.topic()));
      headers.add("__connect.errors.partition", Documents.utf8("" + at.partition()));
      headers.add("__connect.errors.offset", Documents.utf8("" + at.offset()));
      headers.add("__connect.errors.stage", Documents.utf8("normalise"));
      headers.add("__connect.errors.class.name", Documents.utf8(Frames.class.getName()));
      headers.add(
          "__connect.errors.exception.class.name", Documents.utf8(Rejected.class.getName()));
      headers.add("__connect.errors.exception.message", Documents.utf8(rejected.getMessage()));
      headers.add("headroom.reason", Documents.utf8(rejected.reason.name().toLowerCase()));
      context.forward(
          new Record<>(record.key(), record.value(), record.timestamp(), headers), DEAD_LETTERS);
    }
  }
}
