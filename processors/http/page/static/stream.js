// The worker's events, for as long as the page is open: read, and read on after every break.
//
// The browser's own EventSource sends no token. So the stream is fetched, and comes back as that
// one would: with the last event's id, later each time.

import { open, Problem } from "./ask.js";
import { createParser } from "./vendor/eventsource-parser.js";

const SILENT_MS = 40_000; // a worker gives a sign of life every fifteen seconds
const WAIT_MS = 1_000;
const WAIT_MS_MAX = 15_000;
const WORK_MS = 8; // after so much of it whoever uses the page has a turn

// `tell` gets (kind, data) of each event. `heard` is called with each piece that arrives, `opened`
// once a connection is there, `lost` with the error (null: it ended) and the milliseconds until the
// next attempt, or null where there is none: the token is not known.
export class Stream {
  constructor(path, { tell, heard, opened, lost }) {
    this.path = path;
    this.on = { tell, heard, opened, lost };
    this.lastId = "";
    this.failures = 0;
    this.isOver = false;
    this.wake = () => {};
  }

  async run() {
    while (!this.isOver) {
      let error = null;
      try {
        await this.read();
      } catch (caught) {
        error = caught;
      }
      if (this.isOver) return;
      if (error instanceof Problem && error.status === 401) {
        this.on.lost(error, null);
        return;
      }
      const wait = this.pause(error);
      this.on.lost(error, wait);
      await this.rest(wait);
    }
  }

  // Try again now.
  hurry() {
    this.wake();
  }

  stop() {
    this.isOver = true;
    this.aborting?.abort();
    this.wake();
  }

  pause(error) {
    const most = Math.min(WAIT_MS * 2 ** this.failures, WAIT_MS_MAX);
    this.failures += 1;
    const asked = error instanceof Problem ? error.retryAfterSeconds * 1000 : 0;
    return Math.max(asked, most * (0.5 + Math.random() / 2));
  }

  rest(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async read() {
    const aborting = new AbortController();
    this.aborting = aborting;
    let timer = setTimeout(() => aborting.abort(), SILENT_MS);
    try {
      const headers = this.lastId ? { "Last-Event-ID": this.lastId } : {};
      const response = await open(this.path, { headers, signal: aborting.signal });
      this.on.opened();
      const parser = createParser({ onEvent: (event) => this.take(event) });
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let began = performance.now();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => aborting.abort(), SILENT_MS);
        this.on.heard();
        parser.feed(value);
        if (performance.now() - began > WORK_MS) {
          await turn();
          began = performance.now();
        }
      }
    } finally {
      clearTimeout(timer);
      aborting.abort();
    }
  }

  take({ event, data, id }) {
    // Standing behind the last of several events, an id speaks for all before it.
    this.failures = 0;
    this.on.tell(event, JSON.parse(data));
    if (id !== undefined) this.lastId = id;
  }
}

// Everything else that waits in this page comes first.
function turn() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve();
    port2.postMessage(null);
  });
}
