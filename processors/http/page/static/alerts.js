// Alerts as they come: the newest first, and said to who listens.

import { byId, chip, el } from "./dom.js";
import { percent } from "./decimal.js";
import { timeOf } from "./words.js";

const SHOWN = 30;

export class Alerts {
  constructor(world, { open }) {
    Object.assign(this, { world, open });
    this.drawn = null;
    this.unsaid = [];
  }

  came(alert) {
    this.unsaid.push(alert);
  }

  draw() {
    this.say();
    const recent = this.world.recent.slice(0, SHOWN);
    const look = recent.map((alert) => `${alert.time}${alert.user}${alert.level}${alert.rule}`).join("\n");
    if (look === this.drawn) return;
    this.drawn = look;
    const place = byId("alerts-list");
    const focused = place.contains(document.activeElement);
    place.replaceChildren(...recent.map((alert) => this.entry(alert)));
    byId("alerts-none").hidden = recent.length > 0;
    if (focused) place.querySelector("button")?.focus({ preventScroll: true });
  }

  entry(alert) {
    const who = el("button", { type: "button", class: "name" }, alert.user);
    who.addEventListener("click", () => this.open(alert.user));
    const time = el("time", { datetime: alert.time }, timeOf(alert.time));
    return el("li", { class: alert.level }, el("span", { class: "head" }, chip(alert.level), time), who, el("span", { class: "small" }, alertText(alert)));
  }

  // Of many at once it is said how many, and the worst.
  say() {
    if (this.unsaid.length === 0) return;
    const [worst] = [...this.unsaid].sort((one, other) => (one.level < other.level ? -1 : 1));
    const more = this.unsaid.length > 1 ? `, and ${this.unsaid.length - 1} more` : "";
    byId("said").textContent = `Alert: ${worst.level}, ${worst.user}: ${alertText(worst)}${more}`;
    this.unsaid = [];
  }
}

// What an alert says, beside its level, its time and its user.
export function alertText(alert) {
  const unit = alert.base_currency === null ? "" : ` ${alert.base_currency}`;
  const parts = [`${alert.venue} ${alert.account}`, looked(alert)];
  if (alert.current !== null && alert.max !== null) parts.push(`${alert.current} of ${alert.max}${unit}`);
  if (alert.rule) parts.push(`rule ${alert.rule}`);
  return parts.join(" · ");
}

const WORDS = { headroom_below: "headroom", balance_below: "balance", held_above: "held", not_live_for: "not live" };

function looked(alert) {
  const of = alert.asset === null ? "account" : alert.asset;
  const { condition, value, threshold, utilisation } = alert;
  if (!condition || condition === "utilisation_above") {
    const crossed = threshold ? `, threshold ${percent(threshold)}` : "";
    return `${of}: ${utilisation === null ? "use unknown" : `${percent(utilisation)} used`}${crossed}`;
  }
  const what = WORDS[condition] ?? condition.replaceAll("_", " ");
  const crossed = threshold ? `, threshold ${threshold}` : "";
  return `${of}: ${what}${value ? ` ${value}` : ""}${crossed}`;
}
