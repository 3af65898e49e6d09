// How things stand, in one line: whether the page is told, how many users and accounts, alerts.

import { now } from "./clock.js";
import { byId, el } from "./dom.js";
import { icon } from "./icons.js";
import { STATES, timeOf } from "./words.js";

export class Standing {
  constructor(world, { hurry }) {
    this.world = world;
    this.state = "connecting";
    this.problem = "";
    this.retryAt = null;
    this.heardAt = null;
    this.drawn = null;
    byId("retry").addEventListener("click", hurry);
  }

  heard() {
    this.heardAt = now();
  }

  opened() {
    this.state = "open";
    this.heard();
  }

  lost(problem, wait) {
    this.state = "lost";
    this.problem = problem;
    this.retryAt = now() + wait;
  }

  asked() {
    this.state = "asked";
  }

  draw(counted) {
    const [name, text] = this.words();
    if (this.drawn !== `${name}${text}`) {
      this.drawn = `${name}${text}`;
      byId("standing").className = name;
      byId("standing").replaceChildren(icon(name), el("span", {}, text));
    }
    const left = this.state === "lost" ? Math.max(0, this.retryAt - now()) / 1000 : null;
    byId("countdown").textContent = left === null ? this.ticking() : `Trying again in ${Math.ceil(left)} s.`;
    byId("retry").hidden = left === null;
    document.documentElement.classList.toggle("untold", this.state === "lost");
    this.count(counted);
  }

  words() {
    const { world } = this;
    if (this.state === "asked") return ["untold", "A token is needed"];
    if (this.state === "connecting") return ["untold", "Asking the worker …"];
    if (this.state === "lost") return ["disconnected", `Not live: ${this.problem}. Numbers are as of ${timeOf(world.lostAt)}.`];
    if (world.isAllCurrent && world.isWhole) return ["live", "Told live"];
    if (!world.isWhole) return ["untold", "Users are being read …"];
    const away = world.known.size - world.current.size;
    return ["stale", `In part: ${away} of ${world.known.size} partitions are told of by nobody since ${timeOf(world.lostAt)}`];
  }

  ticking() {
    return this.state === "open" && this.heardAt !== null ? `heard ${heardAgo(Math.floor((now() - this.heardAt) / 1000))}` : "";
  }

  count({ users, accounts, states, alerts, over }) {
    const live = states.live ?? 0;
    const doubts = STATES.filter((state) => state !== "live" && states[state]).map((state) => `${states[state].toLocaleString()} ${state}`);
    const figures = {
      "count-users": users.toLocaleString(),
      "count-live": `${live.toLocaleString()} of ${accounts.toLocaleString()}`,
      "count-doubts": doubts.join(", "),
      "count-over": over.toLocaleString(),
      "count-alerts": alerts.toLocaleString(),
    };
    for (const [id, text] of Object.entries(figures)) {
      if (byId(id).textContent !== text) byId(id).textContent = text;
    }
    byId("tile-live").classList.toggle("doubtful", live !== accounts);
    byId("tile-over").classList.toggle("bad", over > 0);
    byId("tile-alerts").classList.toggle("bad", alerts > 0);
    const title = `${this.state === "open" ? "" : "(not live) "}Headroom`;
    if (document.title !== title) document.title = title;
  }
}

function heardAgo(seconds) {
  return seconds < 3 ? "just now" : `${seconds} s ago`;
}
