package headroom.bench;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** One asset of an account; sFOX tells no exposure, so there is none. */
record Asset(String total, String available, String held, Map<String, String> wallets) {
  void write(final JsonGenerator out) throws IOException {
    out.writeStartObject();
    out.writeStringField("total", total);
    out.writeStringField("available", available);
    out.writeStringField("held", held);
    out.writeObjectFieldStart("wallets");
    for (final Map.Entry<String, String> wallet : wallets.entrySet()) {
      out.writeStringField(wallet.getKey(), wallet.getValue());
    }
    out.writeEndObject();
    out.writeNullField("exposure");
    out.writeEndObject();
  }

  /** Reads what `write` wrote, from its first brace. */
  static Asset read(final JsonParser in) throws IOException {
    String total = null;
    String available = null;
    String held = null;
    final Map<String, String> wallets = new LinkedHashMap<>();
    while (in.nextToken() != JsonToken.END_OBJECT) {
      final String name = in.currentName();
      in.nextToken();
      switch (name) {
        case "total" -> total = in.getText();
        case "available" -> available = in.getText();
        case "held" -> held = in.getText();
        case "wallets" -> {
          while (in.nextToken() != JsonToken.END_OBJECT) {
            final String wallet = in.currentName();
            wallets.put(wallet, in.nextTextValue());
          }
        }
        default -> in.skipChildren();
      }
    }
    return new Asset(total, available, held, wallets);
  }
}
