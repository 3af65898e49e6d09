// One user: accounts, wallets, limits, and how true it all is, in words.

import { ask, Problem, why } from "./ask.js";
import { now } from "./clock.js";
import { amount, byId, chip, el, used } from "./dom.js";
import { Table } from "./table.js";
import { age, sentence, timeOf } from "./words.js";
import { alertText } from "./alerts.js";

const AGAIN_MS = 2_000; // ages go on, and come from the worker alone
const AGAIN_MS_MIN = 400;

export class UserPanel {
  // `closed` is called with the name of the user whose panel was closed.
  constructor(world, { closed }) {
    Object.assign(this, { world, closed });
    this.name = null;
    this.asked = 0;
    this.askedAt = -Infinity;
    this.shown = null;
    this.accounts = new Map();
    this.isAsking = false;
    byId("user-close").addEventListener("click", () => this.close());
    byId("user").addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.close();
    });
    this.limits = new Table(byId("user-limits"), {
      caption: "Limits of this user",
      key: (limit) => [limit.venue, limit.account, limit.asset, limit.base_currency].join("\n"),
      look: (limit) => JSON.stringify([limit, this.accounts.size]),
      columns: [
        { name: "limit", label: "Limit", cell: (limit) => named(limit, this.accounts.size > 1) },
        { name: "used", label: "Used", cell: (limit) => used(limit.utilisation) },
        { name: "current", label: "Current", kind: "amount", cell: (limit) => known(limit.current) },
        { name: "max", label: "Max", kind: "amount", cell: (limit) => known(limit.max) },
        { name: "headroom", label: "Headroom", kind: "amount", cell: (limit) => known(limit.headroom) },
      ],
    });
  }

  show(name) {
    this.name = name;
    this.askedAt = -Infinity;
    this.shown = null;
    byId("user").hidden = false;
    byId("user-name").textContent = name;
    byId("user-truth").replaceChildren("asking …");
    byId("user-accounts").replaceChildren();
    this.accounts.clear();
    this.limits.show([]);
    byId("user-limits").hidden = byId("user-limits-title").hidden = true;
    byId("user-name").focus();
    byId("user").scrollIntoView({ block: "nearest" });
    this.tick();
  }

  close() {
    const name = this.name;
    this.name = null;
    byId("user").hidden = true;
    if (name !== null) this.closed(name);
  }

  // Called often: asks again where something has changed, or ages have gone on.
  tick() {
    if (this.name === null || this.isAsking || document.hidden) return;
    const since = now() - this.askedAt;
    const version = this.world.users.get(this.name)?.version ?? null;
    const isNew = version !== this.shown;
    if (since > AGAIN_MS || (isNew && since > AGAIN_MS_MIN)) this.ask(version);
  }

  async ask(version) {
    const name = this.name;
    const path = `/v1/users/${encodeURIComponent(name)}`;
    this.isAsking = true;
    this.askedAt = now();
    try {
      const [balances, exposure] = await Promise.all([ask(`${path}/balances`), ask(`${path}/exposure`)]);
      this.shown = version;
      if (this.name === name) this.draw(balances, exposure);
    } catch (error) {
      if (this.name === name) this.fail(error);
    } finally {
      this.isAsking = false;
    }
  }

  fail(error) {
    const isGone = error instanceof Problem && error.status === 404;
    const text = isGone ? "There is no such user (any more)." : `Not known at this moment: ${why(error)}.`;
    byId("user-truth").replaceChildren(chip("untold", isGone ? "gone" : "untold"), el("span", {}, text));
    byId("user").classList.add("not-live");
    if (error instanceof Problem && error.retryAfterSeconds) this.askedAt += error.retryAfterSeconds * 1000;
  }

  draw(balances, exposure) {
    const { freshness } = balances;
    byId("user").classList.toggle("not-live", freshness.state !== "live");
    byId("user-truth").replaceChildren(...truth(freshness), ...this.standing());
    const states = new Map(freshness.accounts.map((one) => [`${one.venue}\n${one.account}`, one]));
    const cards = balances.accounts.map((account) => this.account(account, states.get(`${account.venue}\n${account.account}`)));
    const place = byId("user-accounts");
    if (cards.some((card, at) => place.children[at] !== card) || place.children.length !== cards.length) {
      place.replaceChildren(...cards);
    }
    this.limits.show(exposure.limits);
    byId("user-limits").hidden = byId("user-limits-title").hidden = exposure.limits.length === 0;
  }

  standing() {
    const alerts = this.world.users.get(this.name)?.alerts ?? new Map();
    return [...alerts.values()].map((alert) => el("p", { class: "standing" }, chip(alert.level), alertText(alert)));
  }

  // The card of an account: kept, so that only what has changed is drawn anew.
  account(account, freshness) {
    const key = `${account.venue}\n${account.account}`;
    let card = this.accounts.get(key);
    if (card === undefined) {
      const head = el("p", { class: "truth" });
      const place = el("div", {});
      const element = el("section", { class: "account" }, el("h4", {}, `${account.venue} · ${account.account}`), head, place);
      card = { element, head, table: balancesTable(place, `Balances of ${account.account} at ${account.venue}`) };
      this.accounts.set(key, card);
    }
    card.head.replaceChildren(...(freshness ? truth(freshness) : []));
    card.table.show(Object.entries(account.assets).map(([asset, held]) => ({ asset, held, unknown: (account.unknown ?? []).includes(asset) })));
    return card.element;
  }
}

function balancesTable(place, caption) {
  return new Table(place, {
    caption,
    key: ({ asset }) => asset,
    look: JSON.stringify,
    columns: [
      { name: "asset", label: "Asset", cell: ({ asset, held, unknown }) => [asset, unknown ? " and more than is told" : "", wallets(held)] },
      { name: "total", label: "Total", kind: "amount", cell: ({ held }) => amount(held.total) },
      { name: "available", label: "Available", kind: "amount", cell: ({ held }) => amount(held.available) },
      { name: "held", label: "Held", kind: "amount", cell: ({ held }) => amount(held.held) },
    ],
  });
}

// Wallets that hold something; a venue without wallets has none to show.
function wallets(held) {
  const filled = Object.entries(held.wallets).filter(([, text]) => /[1-9]/.test(text));
  if (filled.length === 0) return "";
  if (filled.length === 1 && filled[0][1] === held.total) return el("span", { class: "reason" }, `all ${filled[0][0]}`);
  return el("span", { class: "reason" }, ...filled.flatMap(([name, text], at) => [at ? ", " : "", `${name} `, amount(text)]));
}

// What a limit is of, in which unit and, where there are several accounts, at which.
function named(limit, isOfSeveral) {
  const unit = limit.base_currency ?? limit.asset;
  const where = isOfSeveral ? `${limit.venue} ${limit.account}, ` : "";
  return [limit.asset ?? "account", el("span", { class: "reason" }, `${where}in ${unit ?? "an unknown unit"}`)];
}

function known(text) {
  return text === null ? "unknown" : amount(text);
}

// How true a number is: the state, why, since when, and how old it is.
function truth({ state, reason, since, age_seconds: seconds }) {
  const words = state === "live" ? `confirmed ${age(seconds)} ago` : sentence(reason ?? "");
  const rest = state === "live" ? "" : `${since ? ` Since ${timeOf(since)}.` : ""} Last known ${age(seconds)} ago.`;
  return [chip(state), el("span", {}, words, words && rest && !words.endsWith(".") ? "." : "", rest)];
}
