package headroom.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import headroom.bench.Rejected.Reason;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * sFOX's frames: bytes in, a snapshot or a rejection out, by the contract's own order of reasons.
 *
 * <p>Sound frames are read in one pass of a streaming parser. What it trips over is looked at again,
 * slowly, to find the reason that comes first.
 */
final class Frames {
  private static final String FEED = "private.enterprise.users.balances";
  private static final String WALLET = "_wallet";
  private static final int BYTES_MAX = 1024 * 1024;
  private static final int DEPTH_MAX = 64;
  private static final StreamReadConstraints BOUNDS =
      StreamReadConstraints.builder()
          .maxNestingDepth(DEPTH_MAX)
          .maxNumberLength(BYTES_MAX)
          .maxStringLength(BYTES_MAX)
          .maxNameLength(BYTES_MAX)
          .build();
  private static final JsonFactory STRICT = factory(true);
  private static final JsonFactory LOOSE = factory(false);

  // What was found so far; the worst fault is the one that comes first in the contract.
  private Reason fault;
  private String where;
  private boolean isObject;
  private boolean hasRecipient;
  private boolean recipientIsOurs;
  private boolean hasPayload;
  private boolean hasType;
  private boolean hasSequence;
  private Long sequence;
  private String timestamp;
  private String account;
  private final Map<String, Asset> assets = new LinkedHashMap<>();

  private Frames() {}

  private static JsonFactory factory(final boolean strict) {
    return new JsonFactoryBuilder()
        .streamReadConstraints(BOUNDS)
        .configure(StreamReadFeature.STRICT_DUPLICATE_DETECTION, strict)
        .build();
  }

  static Snapshot normalise(
      final byte[] data,
      final Receipt receipt,
      final String topic,
      final int partition,
      final long offset)
      throws Rejected {
    if (data.length > BYTES_MAX) {
      throw new Rejected(Reason.TOO_LARGE, data.length + " bytes");
    }
    if (isUnusual(data)) {
      diagnose(data); // not in the alphabet of a plain frame: every text is looked at
    }
    final Frames frame = new Frames();
    try (JsonParser in = STRICT.createParser(data)) {
      frame.readRoot(in);
      if (in.nextToken() != null) {
        throw new Rejected(Reason.NOT_JSON, "more than one value");
      }
    } catch (final IOException broken) {
      diagnose(data);
      throw new Rejected(Reason.NOT_JSON, "not readable");
    }
    return frame.snapshot(receipt, topic, partition, offset);
  }

  private Snapshot snapshot(
      final Receipt receipt, final String topic, final int partition, final long offset)
      throws Rejected {
    final boolean ours =
        isObject && (hasRecipient ? recipientIsOurs : hasPayload && !hasType);
    if (!ours) {
      throw new Rejected(Reason.UNKNOWN_MESSAGE, "no balances of sFOX");
    }
    require(hasSequence, "sequence");
    require(hasPayload, "payload");
    if (fault != null) {
      throw new Rejected(fault, where);
    }
    return new Snapshot(
        "sfox:" + account,
        "sfox",
        account,
        receipt.epoch(),
        sequence,
        receipt.receipt(),
        Times.venueTime(timestamp),
        receipt.receivedTime(),
        assets,
        topic,
        partition,
        offset);
  }

  private void readRoot(final JsonParser in) throws IOException {
    isObject = in.nextToken() == JsonToken.START_OBJECT;
    if (!isObject) {
      in.skipChildren();
      return;
    }
    while (in.nextToken() != JsonToken.END_OBJECT) {
      final String name = in.currentName();
      final JsonToken token = in.nextToken();
      switch (name) {
        case "sequence" -> {
          hasSequence = true;
          sequence = integer(in, token);
        }
        case "recipient" -> {
          hasRecipient = true;
          recipientIsOurs = token == JsonToken.VALUE_STRING && in.getText().equals(FEED);
          in.skipChildren();
        }
        case "type" -> {
          hasType = true;
          in.skipChildren();
        }
        case "timestamp" -> {
          timestamp =
              token == JsonToken.VALUE_NUMBER_INT && in.getText().charAt(0) != '-'
                  ? in.getText()
                  : null;
          in.skipChildren();
        }
        case "payload" -> {
          hasPayload = true;
          readPayload(in, token);
        }
        default -> in.skipChildren();
      }
    }
  }

  private void readPayload(final JsonParser in, final JsonToken token) throws IOException {
    if (token == JsonToken.START_OBJECT) {
      readBalances(in);
    } else if (token == JsonToken.VALUE_STRING) {
      final byte[] embedded = Documents.utf8(in.getText());
      try (JsonParser inner = STRICT.createParser(embedded)) {
        if (inner.nextToken() == JsonToken.START_OBJECT) {
          readBalances(inner);
        } else {
          inner.skipChildren();
          fault(Reason.WRONG_TYPE, "payload");
        }
        if (inner.nextToken() != null) {
          fault(Reason.NOT_JSON, "payload");
        }
      } catch (final IOException broken) {
        try {
          diagnose(embedded);
          fault(Reason.NOT_JSON, "payload");
        } catch (final Rejected rejected) {
          fault(rejected.reason, "payload");
        }
      }
    } else {
      in.skipChildren();
      fault(Reason.WRONG_TYPE, "payload");
    }
  }

  private void readBalances(final JsonParser in) throws IOException {
    boolean hasUser = false;
    boolean hasUpdates = false;
    while (in.nextToken() != JsonToken.END_OBJECT) {
      final String name = in.currentName();
      final JsonToken token = in.nextToken();
      if (name.equals("user_id")) {
        hasUser = true;
        account = text(in, token, "payload.user_id");
        if (account != null
            && (account.isEmpty()
                || account.length() > 256 && Documents.utf8(account).length > 1_024)) {
          fault(Reason.WRONG_TYPE, "payload.user_id");
        }
      } else if (name.equals("updates")) {
        hasUpdates = true;
        if (token == JsonToken.START_ARRAY) {
          readUpdates(in);
        } else {
          in.skipChildren();
          fault(Reason.WRONG_TYPE, "payload.updates");
        }
      } else {
        in.skipChildren();
      }
    }
    require(hasUser, "payload.user_id");
    require(hasUpdates, "payload.updates");
  }

  private void readUpdates(final JsonParser in) throws IOException {
    for (JsonToken token = in.nextToken();
        token != JsonToken.END_ARRAY;
        token = in.nextToken()) {
      if (token == JsonToken.START_OBJECT) {
        readUpdate(in);
      } else {
        in.skipChildren();
        fault(Reason.WRONG_TYPE, "payload.updates");
      }
    }
  }

  private void readUpdate(final JsonParser in) throws IOException {
    final Map<String, String> wallets = new LinkedHashMap<>(8);
    String[] found = new String[4];
    int seen = 0;
    while (in.nextToken() != JsonToken.END_OBJECT) {
      final String name = in.currentName();
      final JsonToken token = in.nextToken();
      final int field =
          switch (name) {
            case "currency" -> 0;
            case "balance" -> 1;
            case "available" -> 2;
            case "held" -> 3;
            default -> -1;
          };
      if (field >= 0) {
        seen |= 1 << field;
        found[field] = field == 0 ? text(in, token, name) : amount(in, token, name);
      } else if (name.endsWith(WALLET)) {
        final String held = amount(in, token, name);
        if (held != null) {
          wallets.put(name.substring(0, name.length() - WALLET.length()), held);
        }
      } else {
        in.skipChildren();
      }
    }
    require(seen == 15, "payload.updates");
    if (found[0] != null && found[1] != null && found[2] != null && found[3] != null) {
      final Asset asset = new Asset(found[1], found[2], found[3], wallets);
      if (assets.put(found[0].toUpperCase(Locale.ROOT), asset) != null) {
        fault(Reason.DUPLICATE_ASSET, found[0]);
      }
    }
  }

  private Long integer(final JsonParser in, final JsonToken token) throws IOException {
    if (token == JsonToken.VALUE_NUMBER_INT && in.getTextLength() <= 20) {
      try {
        return Long.parseLong(in.getText());
      } catch (final NumberFormatException tooLarge) {
        fault(Reason.WRONG_TYPE, "sequence");
        return null;
      }
    }
    in.skipChildren();
    fault(Reason.WRONG_TYPE, "sequence");
    return null;
  }

  private String text(final JsonParser in, final JsonToken token, final String name)
      throws IOException {
    if (token == JsonToken.VALUE_STRING) {
      return in.getText();
    }
    in.skipChildren();
    fault(Reason.WRONG_TYPE, name);
    return null;
  }

  private String amount(final JsonParser in, final JsonToken token, final String name)
      throws IOException {
    final String text = text(in, token, name);
    if (text == null || Amounts.isAmount(text)) {
      return text;
    }
    fault(Reason.AMOUNT, name);
    return null;
  }

  private void require(final boolean there, final String name) {
    if (!there) {
      fault(Reason.MISSING_FIELD, name);
    }
  }

  private void fault(final Reason reason, final String place) {
    if (fault == null || reason.ordinal() < fault.ordinal()) {
      fault = reason;
      where = place;
    }
  }

  private static boolean isUnusual(final byte[] data) {
    int signs = 0;
    boolean escaped = false;
    for (final byte unit : data) {
      signs |= unit;
      escaped |= unit == '\\';
    }
    return signs < 0 || escaped;
  }

  /** Throws the reason that comes first, by a reading of its own for each; returns if it is JSON. */
  private static void diagnose(final byte[] data) throws Rejected {
    final String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(data)).toString();
    } catch (final CharacterCodingException broken) {
      throw new Rejected(Reason.NOT_UTF8, "not UTF-8");
    }
    checkDepth(text);
    final boolean ambiguous;
    try (JsonParser in = LOOSE.createParser(text)) {
      ambiguous = isAmbiguous(in);
    } catch (final IOException broken) {
      throw new Rejected(Reason.NOT_JSON, "not JSON");
    }
    if (ambiguous) {
      throw new Rejected(Reason.DUPLICATE_KEY, "a key stands twice in one object");
    }
  }

  private static void checkDepth(final String text) throws Rejected {
    int depth = 0;
    boolean quoted = false;
    for (int at = 0; at < text.length(); at++) {
      final char letter = text.charAt(at);
      if (quoted) {
        if (letter == '\\') {
          at++;
        }
        quoted = letter != '"';
      } else if (letter == '"') {
        quoted = true;
      } else if (letter == '[' || letter == '{') {
        if (++depth > DEPTH_MAX) {
          throw new Rejected(Reason.TOO_DEEP, "nested more than " + DEPTH_MAX + " deep");
        }
      } else if (letter == ']' || letter == '}') {
        depth--;
      }
    }
  }

  private static boolean isAmbiguous(final JsonParser in) throws IOException, Rejected {
    final Map<Integer, Map<String, Boolean>> open = new HashMap<>();
    boolean ambiguous = false;
    int depth = 0;
    int values = 0;
    for (JsonToken token = in.nextToken(); token != null; token = in.nextToken()) {
      if (token == JsonToken.FIELD_NAME || token == JsonToken.VALUE_STRING) {
        checkSurrogates(in.getText());
      }
      if (token == JsonToken.FIELD_NAME) {
        ambiguous |= open.get(depth).put(in.getText(), true) != null;
        continue;
      }
      if (token.isStructStart()) {
        open.put(++depth, new HashMap<>());
      } else if (token.isStructEnd()) {
        depth--;
      }
      if (depth == 0 && ++values > 1) {
        throw new Rejected(Reason.NOT_JSON, "more than one value");
      }
    }
    if (values == 0) {
      throw new Rejected(Reason.NOT_JSON, "no value");
    }
    return ambiguous;
  }

  private static void checkSurrogates(final String text) throws Rejected {
    for (int at = 0; at < text.length(); at++) {
      final char letter = text.charAt(at);
      if (Character.isHighSurrogate(letter)
          && at + 1 < text.length()
          && Character.isLowSurrogate(text.charAt(at + 1))) {
        at++;
      } else if (Character.isSurrogate(letter)) {
        throw new Rejected(Reason.NOT_JSON, "a surrogate without its other half");
      }
    }
  }
}
