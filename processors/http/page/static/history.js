// What a sum was over the last hour, as far as this page has seen it: it is kept nowhere else.

import { time } from "./clock.js";

export const SPAN_MS = 3_600_000;
const STEP_MS = 5_000;

// A series is a list of {at, document}, the oldest first; a document of null is a time without word.
export class History {
  constructor() {
    this.forget();
  }

  forget() {
    this.beganAt = time();
    this.series = new Map();
  }

  // The newest of a step stands for it.
  note(kind, name, document) {
    const key = `${kind} ${name}`;
    let series = this.series.get(key);
    if (series === undefined) this.series.set(key, (series = []));
    const at = this.next(series);
    const step = Math.floor(at / STEP_MS);
    const last = series.at(-1);
    if (last !== undefined && last.document !== null && Math.floor(last.at / STEP_MS) === step) series.pop();
    series.push({ at, document });
    while (series.length && series[0].at < at - SPAN_MS) series.shift();
  }

  // Nobody tells at this moment: no line is drawn over it.
  interrupt() {
    for (const series of this.series.values()) {
      if (series.length && series.at(-1).document !== null) series.push({ at: this.next(series), document: null });
    }
  }

  // The time of one more, which is never before the last one's.
  next(series) {
    return Math.max(time(), series.at(-1)?.at ?? 0);
  }

  of(key) {
    return this.series.get(key) ?? [];
  }
}
