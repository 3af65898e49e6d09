package headroom.bench;

/** Why a frame could not be read: the contract's reasons, the first that applies. */
final class Rejected extends Exception {
  /** In the order in which they are looked for. */
  enum Reason {
    TOO_LARGE,
    NOT_UTF8,
    TOO_DEEP,
    NOT_JSON,
    DUPLICATE_KEY,
    UNKNOWN_MESSAGE,
    MISSING_FIELD,
    WRONG_TYPE,
    AMOUNT,
    DUPLICATE_ASSET
  }

  final transient Reason reason;

  Rejected(final Reason why, final String detail) {
    super(detail, null, false, false);
    reason = why;
  }
}
