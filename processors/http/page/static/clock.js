// Two clocks: one that only goes on, for how long something takes, and one that tells the time.

// Milliseconds since some moment.
export function now() {
  return performance.now();
}

// Milliseconds since 1970; it may be set meanwhile.
export function time() {
  return Date.now();
}
