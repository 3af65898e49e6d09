// The last hour of one sum as a line, and as a table for who does not see lines. Floats are for
// where a line runs; every figure beside it is the worker's text.

import { now, time } from "./clock.js";
import { amount, byId, el } from "./dom.js";
import { percent } from "./decimal.js";
import { SPAN_MS } from "./history.js";
import { Table } from "./table.js";
import { minuteOf, timeOf } from "./words.js";
import uPlot from "./vendor/uPlot.esm.js";

const HEIGHT = 220;
const SPAN_MS_MIN = 300_000;
const STEPS_SECONDS = [60, 300, 600, 900];
const DRAW_MS = 1_000;
const MINUTE_MS = 60_000;

export class Chart {
  constructor(history) {
    this.history = history;
    this.drawnAt = -Infinity;
    this.plot = null;
    this.points = [];
    this.offered = "";
    this.choice = byId("hour-choice");
    this.choice.addEventListener("change", () => this.anew());
    for (const query of ["(prefers-color-scheme: dark)", "(prefers-contrast: more)"]) {
      matchMedia(query).addEventListener("change", () => this.anew());
    }
    new ResizeObserver(() => this.plot?.setSize({ width: this.width, height: HEIGHT })).observe(byId("hour-plot"));
    byId("hour-each").addEventListener("toggle", () => this.table());
    this.minutes = new Table(byId("hour-table"), {
      caption: "Minute by minute, the newest first",
      key: ({ minute }) => minute,
      look: (row) => JSON.stringify([row, this.choice.value]),
      columns: [
        { name: "time", label: "At", cell: ({ at }) => timeOf(at) },
        { name: "what", label: "What", cell: ({ document }) => figures(nameOf(this.choice.value), document) },
      ],
    });
  }

  get width() {
    return Math.max(200, Math.floor(byId("hour-plot").clientWidth));
  }

  // Something may be new: drawn once a second at most.
  draw() {
    if (now() < this.drawnAt + DRAW_MS || document.hidden) return;
    this.drawnAt = now();
    this.offer();
    this.points = this.history.of(this.choice.value);
    byId("hour-since").textContent = `Kept in this page alone, since it was opened at ${timeOf(this.history.beganAt)}.`;
    const data = this.data();
    if (this.plot === null) this.plot = this.made(data);
    else this.plot.setData(data);
    this.say();
    this.table();
  }

  anew() {
    this.plot?.destroy();
    this.plot = null;
    this.drawnAt = -Infinity;
    this.draw();
  }

  // What may be chosen: base currencies first.
  offer() {
    const keys = [...this.history.series.keys()].sort((one, other) => kindOf(other).localeCompare(kindOf(one)) || (one < other ? -1 : 1));
    if (keys.join("\n") === this.offered) return;
    this.offered = keys.join("\n");
    const before = this.choice.value;
    const options = (kind) => keys.filter((key) => kindOf(key) === kind).map((key) => el("option", { value: key }, nameOf(key)));
    const groups = [["base", "Exposure in"], ["asset", "Total of"]].map(([kind, label]) => el("optgroup", { label }, ...options(kind)));
    this.choice.replaceChildren(...groups.filter((group) => group.children.length));
    if (keys.includes(before)) this.choice.value = before;
  }

  // From when the page was opened, but the last hour at most and some minutes at least.
  span() {
    const end = time();
    return [Math.max(end - SPAN_MS, Math.min(this.history.beganAt, end - SPAN_MS_MIN)), end];
  }

  data() {
    const at = this.points.map((point) => point.at / 1000);
    const height = (text) => (text === null || text === undefined ? null : Number(text));
    const current = this.points.map(({ document }) => height(document?.current ?? document?.total));
    const most = this.points.map(({ document }) => height(document?.max));
    return [at, current, most];
  }

  made(data) {
    const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const axis = { font: `12px ${getComputedStyle(document.body).fontFamily}`, stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { stroke: color("--line"), width: 1 } };
    const options = {
      width: this.width,
      height: HEIGHT,
      legend: { show: false },
      cursor: { drag: { x: false, y: false } },
      scales: {
        x: { range: () => this.span().map((at) => at / 1000) },
        y: { range: (_, least, most) => bounds(least, most) },
      },
      axes: [{ ...axis, incrs: STEPS_SECONDS, values: (_, times) => times.map((at) => minuteOf(at * 1000)) }, { ...axis, size: 84 }],
      series: [
        {},
        { label: "now", stroke: color("--accent"), width: 2, fill: color("--accent-soft"), points: { show: (plot) => plot.data[0].length < 3 } },
        { label: "limit", stroke: color("--over"), width: 2, dash: [6, 4], points: { show: false } },
      ],
      hooks: { setCursor: [() => this.say()] },
    };
    return new uPlot(options, data, byId("hour-plot"));
  }

  // The figures under the cursor, else the newest.
  say() {
    const at = this.plot?.cursor.idx ?? null;
    const point = this.points[at ?? this.points.length - 1];
    const parts = point === undefined ? ["Nothing has been seen yet."] : [`${timeOf(point.at)}  `, ...figures(nameOf(this.choice.value), point.document)];
    const text = spoken(parts);
    if (byId("hour-figures").textContent === text) return;
    byId("hour-figures").replaceChildren(...parts);
    byId("hour-plot").setAttribute("aria-label", `A line over the last hour. ${text}`);
  }

  table() {
    if (!byId("hour-each").open) return;
    const minutes = new Map();
    for (const point of this.points) minutes.set(Math.floor(point.at / MINUTE_MS), point);
    this.minutes.show([...minutes].reverse().map(([minute, { at, document }]) => ({ minute, at, document })));
  }
}

// The figures of a moment, exact: texts and elements.
function figures(name, document) {
  if (document === null) return ["no word from the worker"];
  if (document.total !== undefined) return [amount(document.total), ` ${name}`];
  const most = document.max === null ? [] : [" of ", amount(document.max)];
  const share = document.utilisation === null ? "" : ` (${percent(document.utilisation)})`;
  return [document.current === null ? "unknown" : amount(document.current), ...most, ` ${name}${share}`];
}

function spoken(parts) {
  return parts.map((part) => part.textContent ?? part).join("");
}

// From zero where that leaves something to see.
function bounds(least, most) {
  if (least === null || most === null) return [0, 1];
  const spread = most - least || Math.abs(most) || 1;
  const low = least >= 0 && least < most * 0.9 ? 0 : least - spread * 0.1;
  return [low, most + spread * 0.1];
}

function kindOf(key) {
  return key.slice(0, key.indexOf(" "));
}

function nameOf(key) {
  return key.slice(key.indexOf(" ") + 1);
}
