package headroom.bench;

import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;

/** Where a raw record stands in the order of its venue, by its headers. */
record Receipt(long epoch, long receipt, String receivedTime) {
  static Receipt of(final Headers headers, final long offset, final long appendedMs) {
    final long epoch = natural(headers.lastHeader("epoch"));
    final long receipt = natural(headers.lastHeader("receipt"));
    final Header told = headers.lastHeader("received_time");
    String received =
        told == null || told.value() == null
            ? null
            : new String(told.value(), StandardCharsets.ISO_8859_1);
    if (received == null || !Times.isTime(received)) {
      received = Times.rfc3339(Math.multiplyExact(Math.max(0L, appendedMs), 1_000_000L));
    }
    return epoch < 0 || receipt < 0
        ? new Receipt(0, offset, received)
        : new Receipt(epoch, receipt, received);
  }

  private static long natural(final Header header) {
    if (header == null || header.value() == null) {
      return -1;
    }
    final byte[] digits = header.value();
    if (digits.length == 0 || digits.length > 19) {
      return -1;
    }
    long value = 0;
    for (final byte digit : digits) {
      if (digit < '0' || digit > '9') {
        return -1;
      }
      value = value * 10 + (digit - '0'); // 19 digits overflow into a negative number, which is -1
    }
    return value < 0 ? -1 : value;
  }
}
