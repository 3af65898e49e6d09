package headroom.bench;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** One account of sFOX as one frame tells it: the value of `balances.v1`. */
record Snapshot(
    String user,
    String venue,
    String account,
    long epoch,
    long sequence,
    long receipt,
    String venueTime,
    String receivedTime,
    Map<String, Asset> assets,
    String topic,
    int partition,
    long offset) {

  byte[] encode() {
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream(1_536);
    try (JsonGenerator out = Documents.JSON.createGenerator(bytes)) {
      write(out);
    } catch (final IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    return bytes.toByteArray();
  }

  void write(final JsonGenerator out) throws IOException {
    out.writeStartObject();
    out.writeStringField("user", user);
    out.writeStringField("venue", venue);
    out.writeStringField("account", account);
    out.writeNumberField("epoch", epoch);
    out.writeNumberField("sequence", sequence);
    out.writeNumberField("receipt", receipt);
    out.writeStringField("venue_time", venueTime);
    out.writeStringField("received_time", receivedTime);
    out.writeBooleanField("deleted", false);
    out.writeObjectFieldStart("assets");
    for (final Map.Entry<String, Asset> asset : assets.entrySet()) {
      out.writeFieldName(asset.getKey());
      asset.getValue().write(out);
    }
    out.writeEndObject();
    out.writeNullField("exposure");
    out.writeObjectFieldStart("source");
    out.writeStringField("topic", topic);
    out.writeNumberField("partition", partition);
    out.writeNumberField("offset", offset);
    out.writeEndObject();
    out.writeEndObject();
  }

  static Snapshot decode(final byte[] value) {
    try (JsonParser in = Documents.JSON.createParser(value)) {
      in.nextToken();
      return read(in);
    } catch (final IOException broken) {
      throw new UncheckedIOException(broken);
    }
  }

  /** Reads what `write` wrote, from its first brace. */
  static Snapshot read(final JsonParser in) throws IOException {
    final String[] texts = new String[6];
    final long[] numbers = new long[5];
    final Map<String, Asset> assets = new LinkedHashMap<>();
    while (in.nextToken() != JsonToken.END_OBJECT) {
      final String name = in.currentName();
      final JsonToken token = in.nextToken();
      switch (name) {
        case "user" -> texts[0] = in.getText();
        case "venue" -> texts[1] = in.getText();
        case "account" -> texts[2] = in.getText();
        case "epoch" -> numbers[0] = in.getLongValue();
        case "sequence" -> numbers[1] = in.getLongValue();
        case "receipt" -> numbers[2] = in.getLongValue();
        case "venue_time" -> texts[3] = token == JsonToken.VALUE_NULL ? null : in.getText();
        case "received_time" -> texts[4] = in.getText();
        case "assets" -> {
          while (in.nextToken() != JsonToken.END_OBJECT) {
            final String asset = in.currentName();
            in.nextToken();
            assets.put(asset, Asset.read(in));
          }
        }
        case "source" -> readSource(in, texts, numbers);
        default -> in.skipChildren();
      }
    }
    return new Snapshot(
        texts[0], texts[1], texts[2], numbers[0], numbers[1], numbers[2], texts[3], texts[4],
        assets, texts[5], (int) numbers[3], numbers[4]);
  }

  private static void readSource(
      final JsonParser in, final String[] texts, final long[] numbers) throws IOException {
    while (in.nextToken() != JsonToken.END_OBJECT) {
      final String name = in.currentName();
      in.nextToken();
      switch (name) {
        case "topic" -> texts[5] = in.getText();
        case "partition" -> numbers[3] = in.getLongValue();
        default -> numbers[4] = in.getLongValue();
      }
    }
  }

  boolean isSameRecordAs(final Snapshot other) {
    return offset == other.offset && partition == other.partition && topic.equals(other.topic);
  }
}
