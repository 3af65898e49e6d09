package headroom.bench;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.streams.processor.api.Record;

/**
 * A user's row: the newest snapshot of each account, and every asset it ever had.
 *
 * <p>The row's JSON is that of the product: `user`, `version`, `accounts`, `assets`, `bases`.
 */
record UserState(
    String user, long version, TreeMap<String, Snapshot> accounts, TreeSet<String> names) {

  /** The row after a snapshot; the row that was there where nothing follows. */
  static byte[] foldedRow(final byte[] row, final byte[] value) {
    final UserState state = folded(row, value);
    return state == null ? row : state.encode();
  }

  /** The state after a snapshot; null where nothing follows from it. */
  static UserState folded(final byte[] row, final byte[] value) {
    final Snapshot snapshot = Snapshot.decode(value);
    final String account = snapshot.venue() + ":" + snapshot.account();
    if (row == null) {
      final UserState first =
          new UserState(snapshot.user(), 1, new TreeMap<>(), new TreeSet<>());
      return first.with(account, snapshot, 1);
    }
    final UserState before = decode(row);
    final Snapshot stored = before.accounts.get(account);
    if (stored != null) {
      if (stored.isSameRecordAs(snapshot)) {
        return before; // a redelivery: everything is emitted again
      }
      int order = Long.compare(snapshot.epoch(), stored.epoch());
      order = order != 0 ? order : Long.compare(snapshot.sequence(), stored.sequence());
      final boolean revised =
          order == 0
              && !snapshot.assets().equals(stored.assets())
              && snapshot.receipt() >= stored.receipt();
      if (order <= 0 && !revised) {
        return null;
      }
    }
    return before.with(account, snapshot, before.version + 1);
  }

  private UserState with(final String account, final Snapshot snapshot, final long number) {
    accounts.put(account, snapshot);
    names.addAll(snapshot.assets().keySet());
    return new UserState(user, number, accounts, names);
  }

  byte[] encode() {
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream(2_048);
    try (JsonGenerator out = Documents.JSON.createGenerator(bytes)) {
      out.writeStartObject();
      out.writeStringField("user", user);
      out.writeNumberField("version", version);
      out.writeObjectFieldStart("accounts");
      for (final Map.Entry<String, Snapshot> account : accounts.entrySet()) {
        out.writeFieldName(account.getKey());
        account.getValue().write(out);
      }
      out.writeEndObject();
      out.writeArrayFieldStart("assets");
      for (final String name : names) {
        out.writeString(name);
      }
      out.writeEndArray();
      out.writeArrayFieldStart("bases");
      out.writeEndArray();
      out.writeEndObject();
    } catch (final IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    return bytes.toByteArray();
  }

  static UserState decode(final byte[] row) {
    String user = null;
    long version = 0;
    final TreeMap<String, Snapshot> accounts = new TreeMap<>();
    final TreeSet<String> names = new TreeSet<>();
    try (JsonParser in = Documents.JSON.createParser(row)) {
      in.nextToken();
      while (in.nextToken() != JsonToken.END_OBJECT) {
        final String name = in.currentName();
        in.nextToken();
        switch (name) {
          case "user" -> user = in.getText();
          case "version" -> version = in.getLongValue();
          case "accounts" -> {
            while (in.nextToken() != JsonToken.END_OBJECT) {
              final String account = in.currentName();
              in.nextToken();
              accounts.put(account, Snapshot.read(in));
            }
          }
          case "assets" -> {
            while (in.nextToken() != JsonToken.END_ARRAY) {
              names.add(in.getText());
            }
          }
          default -> in.skipChildren();
        }
      }
    } catch (final IOException broken) {
      throw new UncheckedIOException(broken);
    }
    return new UserState(user, version, accounts, names);
  }

  /** The record for `exposure.user.v1`. */
  Record<byte[], byte[]> exposure(final String prefix, final long timestampMs) {
    final String id = prefix + Documents.EXPOSURE_USER + "/" + user + "/" + version;
    final String time = accounts.lastEntry().getValue().receivedTime();
    return new Record<>(
        Documents.utf8(user),
        exposure(),
        timestampMs,
        Documents.cloudEvent(Documents.EXPOSURE_USER, user, id, time));
  }

  private byte[] exposure() {
    final TreeMap<String, TreeMap<String, List<Asset>>> found = new TreeMap<>();
    for (final Snapshot snapshot : accounts.values()) {
      for (final Map.Entry<String, Asset> asset : snapshot.assets().entrySet()) {
        found
            .computeIfAbsent(asset.getKey(), name -> new TreeMap<>())
            .computeIfAbsent(snapshot.venue(), venue -> new ArrayList<>(1))
            .add(asset.getValue());
      }
    }
    final ByteArrayOutputStream bytes = new ByteArrayOutputStream(1_024);
    try (JsonGenerator out = Documents.JSON.createGenerator(bytes)) {
      out.writeStartObject();
      out.writeStringField("user", user);
      out.writeObjectFieldStart("assets");
      for (final Map.Entry<String, TreeMap<String, List<Asset>>> asset : found.entrySet()) {
        final List<Asset> all = new ArrayList<>(1);
        asset.getValue().values().forEach(all::addAll);
        out.writeObjectFieldStart(asset.getKey());
        out.writeStringField("total", Amounts.sum(all, Asset::total));
        out.writeStringField("available", Amounts.sum(all, Asset::available));
        out.writeStringField("held", Amounts.sum(all, Asset::held));
        out.writeObjectFieldStart("by_venue");
        for (final Map.Entry<String, List<Asset>> venue : asset.getValue().entrySet()) {
          out.writeStringField(venue.getKey(), Amounts.sum(venue.getValue(), Asset::total));
        }
        out.writeEndObject();
        out.writeEndObject();
      }
      out.writeEndObject();
      out.writeArrayFieldStart("limits");
      out.writeEndArray();
      out.writeNumberField("version", version);
      out.writeEndObject();
    } catch (final IOException impossible) {
      throw new UncheckedIOException(impossible);
    }
    return bytes.toByteArray();
  }
}
