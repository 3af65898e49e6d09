// `eventsource`, the browsers' EventSource for Node: node events.js URL. Prints what it is told.
const { createRequire } = require("node:module");
const { join } = require("node:path");
const EventSource = createRequire(join(process.cwd(), "x"))("eventsource");

const source = new EventSource(process.argv[2]);
const said = (...words) => console.log(JSON.stringify(words));
source.onopen = () => said("open");
source.onerror = (error) => said("error", error.status ?? null);
for (const kind of ["balances", "reset", "current", "moved"]) {
  source.addEventListener(kind, (event) => said(kind, JSON.parse(event.data), event.lastEventId));
}
require("node:readline").createInterface({ input: process.stdin }).on("line", () => source.close());
