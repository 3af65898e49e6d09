package headroom.bench;

import java.time.LocalDate;

/** RFC 3339 in UTC with nine decimals, as the documents write it. */
final class Times {
  private static final long NS = 1_000_000_000L;

  private Times() {}

  static String rfc3339(final long timeNs) {
    return rfc3339(Math.floorDiv(timeNs, NS), Math.floorMod(timeNs, NS));
  }

  private static String rfc3339(final long seconds, final long nanoseconds) {
    final LocalDate day = LocalDate.ofEpochDay(Math.floorDiv(seconds, 86_400L));
    final int second = (int) Math.floorMod(seconds, 86_400L);
    final char[] text = new char[30];
    put(text, 0, 4, day.getYear());
    text[4] = '-';
    put(text, 5, 2, day.getMonthValue());
    text[7] = '-';
    put(text, 8, 2, day.getDayOfMonth());
    text[10] = 'T';
    put(text, 11, 2, second / 3_600);
    text[13] = ':';
    put(text, 14, 2, second / 60 % 60);
    text[16] = ':';
    put(text, 17, 2, second % 60);
    text[19] = '.';
    put(text, 20, 9, nanoseconds);
    text[29] = 'Z';
    return new String(text);
  }

  private static void put(final char[] text, final int from, final int width, final long number) {
    long left = number;
    for (int at = from + width - 1; at >= from; at--) {
      text[at] = (char) ('0' + left % 10);
      left /= 10;
    }
  }

  /** A venue's integer, its unit told by its magnitude; null where it is no time. */
  static String venueTime(final String digits) {
    if (digits == null || digits.length() > 19) {
      return null;
    }
    final long number = Long.parseUnsignedLong(digits);
    final int length = digits.length() - leadingZeros(digits);
    final long unit =
        length >= 18 ? NS : length >= 15 ? 1_000_000L : length >= 12 ? 1_000L : 1L;
    final long seconds = Long.divideUnsigned(number, unit);
    if (seconds > 253_402_300_799L) {
      return null;
    }
    return rfc3339(seconds, Long.remainderUnsigned(number, unit) * (NS / unit));
  }

  private static int leadingZeros(final String digits) {
    int zeros = 0;
    while (zeros < digits.length() && digits.charAt(zeros) == '0') {
      zeros++;
    }
    return zeros;
  }

  static boolean isTime(final String text) {
    final String shape = "dddd-dd-ddTdd:dd:dd.dddddddddZ";
    if (text.length() != shape.length()) {
      return false;
    }
    for (int at = 0; at < shape.length(); at++) {
      final char wanted = shape.charAt(at);
      final char found = text.charAt(at);
      if (wanted == 'd' ? found < '0' || found > '9' : found != wanted) {
        return false;
      }
    }
    final int year = number(text, 0, 4);
    final int month = number(text, 5, 2);
    final int day = number(text, 8, 2);
    return year >= 1
        && month >= 1
        && month <= 12
        && day >= 1
        && day <= java.time.YearMonth.of(year, month).lengthOfMonth()
        && number(text, 11, 2) < 24
        && number(text, 14, 2) < 60
        && number(text, 17, 2) < 60;
  }

  private static int number(final String text, final int from, final int width) {
    int value = 0;
    for (int at = from; at < from + width; at++) {
      value = value * 10 + text.charAt(at) - '0';
    }
    return value;
  }
}
