package headroom.bench;

import com.fasterxml.jackson.core.JsonFactory;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.header.internals.RecordHeaders;

/** Names of the topics, and what every public record carries. */
final class Documents {
  static final String BALANCES = "balances.v1";
  static final String EXPOSURE_USER = "exposure.user.v1";
  static final String DEAD_LETTERS = "deadletters.v1";

  /** For what we wrote ourselves: no second look at its keys. */
  static final JsonFactory JSON = new JsonFactory();

  private static final byte[] VERSION = utf8("1.0");
  private static final byte[] SOURCE = utf8("/headroom");
  private static final byte[] CONTENT_TYPE = utf8("application/json");

  private Documents() {}

  static byte[] utf8(final String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  static RecordHeaders cloudEvent(
      final String topic, final String subject, final String id, final String time) {
    final RecordHeaders headers = new RecordHeaders();
    headers.add("ce_specversion", VERSION);
    headers.add("ce_id", utf8(id));
    headers.add("ce_source", SOURCE);
    headers.add("ce_type", utf8("headroom." + topic));
    headers.add("ce_time", utf8(time));
    headers.add("ce_subject", utf8(subject));
    headers.add("ce_dataschema", utf8("urn:headroom:schema:" + topic));
    headers.add("content-type", CONTENT_TYPE);
    return headers;
  }
}
