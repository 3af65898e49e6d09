package headroom.bench;

import java.math.BigDecimal;
import java.util.List;
import java.util.function.Function;

/** Amounts: their digits as they came, sums exact. */
final class Amounts {
  private static final int DIGITS_MAX = 38;

  private Amounts() {}

  /** ASCII digits, 38 at most on each side of the point, an optional minus. */
  static boolean isAmount(final String text) {
    final int length = text.length();
    int at = length > 0 && text.charAt(0) == '-' ? 1 : 0;
    final int whole = digits(text, at);
    at += whole;
    if (whole == 0 || whole > DIGITS_MAX) {
      return false;
    }
    if (at == length) {
      return true;
    }
    final int fraction = text.charAt(at) == '.' ? digits(text, at + 1) : 0;
    return fraction > 0 && fraction <= DIGITS_MAX && at + 1 + fraction == length;
  }

  private static int digits(final String text, final int from) {
    int at = from;
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      at++;
    }
    return at - from;
  }

  /** The exact sum, with as many places as the finest amount; of one, its own text. */
  static String sum(final List<Asset> assets, final Function<Asset, String> part) {
    if (assets.size() == 1) {
      final String only = part.apply(assets.get(0));
      if (only.charAt(0) >= '1' && only.charAt(0) <= '9') {
        return only;
      }
    }
    BigDecimal total = BigDecimal.ZERO;
    for (final Asset asset : assets) {
      total = total.add(new BigDecimal(part.apply(asset)));
    }
    return total.toPlainString();
  }
}
