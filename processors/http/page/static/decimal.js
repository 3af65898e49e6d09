// Amounts are texts, exact to the last digit: nothing here makes a float of one for the eye.

const PLAIN = /^(-?)(\d+)(?:\.(\d+))?$/;

// An amount's text before its point, and from the point on.
export function parts(text) {
  const point = text.indexOf(".");
  return point < 0 ? [text, ""] : [text.slice(0, point), text.slice(point)];
}

// Digits in groups of three, the last one whole: ["-1", "234", "567"].
export function groups(whole) {
  const sign = whole.startsWith("-") ? "-" : "";
  const digits = whole.slice(sign.length);
  const found = [];
  for (let end = digits.length; end > 0; end -= 3) found.unshift(digits.slice(Math.max(0, end - 3), end));
  if (found.length) found[0] = sign + found[0];
  return found;
}

// A share such as "0.953333" as "95.3 %". What is left out is never rounded up: 100.0 % stands for
// a limit that is reached, and for nothing below it.
export function percent(share) {
  const [, sign, whole, fraction = ""] = PLAIN.exec(share);
  let tenths = BigInt(whole + fraction.slice(0, 3).padEnd(3, "0"));
  if (sign) tenths = -tenths - (/[1-9]/.test(fraction.slice(3)) ? 1n : 0n);
  const size = tenths < 0n ? -tenths : tenths;
  return `${tenths < 0n ? "-" : ""}${size / 10n}.${size % 10n} %`;
}

// Which of two is greater: negative, zero or positive, as sort() wants it.
export function compare(one, other) {
  const [a, b] = scaled(one, other);
  return a < b ? -1 : Number(a > b);
}

export function atLeast(share, bound) {
  return share !== null && compare(share, bound) >= 0;
}

// What part ÷ whole is, cut off behind six places; null where there is no whole to be a part of.
export function share(part, whole) {
  const [a, b] = scaled(part, whole);
  if (b <= 0n || a < 0n) return null;
  const millionths = String((a * 1_000_000n) / b).padStart(7, "0");
  return `${millionths.slice(0, -6)}.${millionths.slice(-6)}`;
}

// How far a bar is filled, from 0 to 1: of geometry, not of money.
export function filled(text) {
  return Math.min(1, Math.max(0, Number(text)));
}

function scaled(one, other) {
  const [, signA, wholeA, fractionA = ""] = PLAIN.exec(one);
  const [, signB, wholeB, fractionB = ""] = PLAIN.exec(other);
  const places = Math.max(fractionA.length, fractionB.length);
  const number = (sign, whole, fraction) => {
    const size = BigInt(whole + fraction.padEnd(places, "0"));
    return sign ? -size : size;
  };
  return [number(signA, wholeA, fractionA), number(signB, wholeB, fractionB)];
}
