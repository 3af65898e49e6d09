// The table of users: searched, sorted, a page at a time; nothing is drawn but what is on it.

import { now } from "./clock.js";
import { byId, chip, el, used } from "./dom.js";
import { first } from "./select.js";
import { Table } from "./table.js";
import { count, sentence } from "./words.js";
import { ORDERS, troubleOf } from "./world.js";

const ROWS = 25;
const SORT_MS = 250;
const REST = 10; // of the time it looks through them at most a tenth
const HOLD_MS = 4_000; // who is in the table does not have its rows taken away

export class Users {
  // `open` is called with the name of a user that somebody wants to see.
  constructor(world, { open, changed }) {
    Object.assign(this, { world, open, changed });
    this.page = 0;
    this.found = 0; // how many there are on all pages
    this.rows = [];
    this.sortedAt = this.sortNotBefore = -Infinity;
    this.heldUntil = -Infinity;
    this.selected = null;
    this.table = new Table(byId("users-table"), {
      caption: "Users",
      key: (user) => user.name,
      look: (user) => this.look(user),
      dress: (user) => this.dress(user),
      columns: [
        { name: "user", label: "User", cell: (user) => this.button(user) },
        { name: "state", label: "State", cell: (user) => this.state(user) },
        { name: "used", label: "Used most", cell: (user) => this.most(user) },
        { name: "of", label: "Of which limit", cell: (user) => limitOf(user.top) },
      ],
    });
    this.controls();
  }

  controls() {
    const anew = () => {
      this.page = 0;
      this.sortedAt = -Infinity;
      this.changed();
    };
    for (const [id, name] of [["search", "input"], ["order", "change"], ["trouble-only", "change"]]) {
      byId(id).addEventListener(name, anew);
    }
    const turn = (pages) => {
      this.page += pages;
      this.sortedAt = -Infinity;
      this.changed();
    };
    byId("previous").addEventListener("click", () => turn(-1));
    byId("next").addEventListener("click", () => turn(1));
    const hold = () => {
      this.heldUntil = now() + HOLD_MS;
    };
    for (const name of ["pointermove", "pointerdown", "focusin", "keydown"]) {
      this.table.body.addEventListener(name, hold, { passive: true });
    }
  }

  draw() {
    const at = now();
    const isAsked = this.sortedAt === -Infinity;
    if (isAsked || (at >= this.heldUntil && at >= this.sortNotBefore)) {
      this.find();
      this.sortedAt = at;
      this.sortNotBefore = at + Math.max(SORT_MS, (now() - at) * REST);
    }
    this.table.show(this.rows.filter((user) => this.world.users.get(user.name) === user));
    this.say();
  }

  find() {
    const text = byId("search").value.trim().toLowerCase();
    const order = byId("order").value;
    const onlyTrouble = byId("trouble-only").checked;
    const found = [];
    for (const user of this.world.users.values()) {
      if (text && !user.lower.includes(text)) continue;
      if (onlyTrouble && !this.world.isInTrouble(user)) continue;
      if (order === "trouble") user.trouble = troubleOf(this.world.stateOf(user), user);
      found.push(user);
    }
    this.found = found.length;
    this.page = Math.max(0, Math.min(this.page, Math.ceil(found.length / ROWS) - 1));
    this.rows = first(found, (this.page + 1) * ROWS, ORDERS[order]).slice(this.page * ROWS);
  }

  say() {
    const all = this.world.users.size;
    const length = this.found;
    const begin = length ? this.page * ROWS + 1 : 0;
    const last = Math.min(length, (this.page + 1) * ROWS);
    const of = length === all ? count(all, "user") : `${length.toLocaleString()} found, of ${count(all, "user")}`;
    const text = length ? `${begin.toLocaleString()} to ${last.toLocaleString()} of ${of}` : this.nobody();
    if (byId("range").textContent !== text) byId("range").textContent = text;
    byId("previous").disabled = this.page === 0;
    byId("next").disabled = last >= length;
  }

  nobody() {
    if (!this.world.isWhole) return "Users are being read …";
    return this.world.users.size ? "Nobody is like that." : "There are no users.";
  }

  look(user) {
    const limit = user.top;
    const state = this.world.stateOf(user);
    return JSON.stringify([state, user.freshness.reason, limit, user.limits, user.alert, user.alerts.size, user.name === this.selected]);
  }

  dress(user) {
    const state = this.world.stateOf(user);
    return `${state === "live" ? "live" : "not-live"}${user.name === this.selected ? " selected" : ""}`;
  }

  button(user) {
    const made = el("button", { type: "button", class: "name", "aria-current": user.name === this.selected ? "true" : null }, user.name);
    made.addEventListener("click", () => this.open(user.name));
    return made;
  }

  state(user) {
    const state = this.world.stateOf(user);
    const reason = state === "untold" ? "nobody tells of it at this moment" : user.freshness.reason;
    const parts = [chip(state)];
    if (user.alert) parts.push(chip(user.alert));
    if (state !== "live" && reason) parts.push(el("span", { class: "reason" }, sentence(reason)));
    return parts;
  }

  most(user) {
    if (user.limits === 0) return el("span", { class: "none" }, "no limit");
    return used(user.top?.utilisation ?? null);
  }
}

function limitOf(limit) {
  if (limit === null) return "";
  const unit = limit.base_currency === null ? "" : ` in ${limit.base_currency}`;
  return el("span", { class: "small" }, limit.asset === null ? `account${unit}` : `${limit.asset}${unit}`);
}
