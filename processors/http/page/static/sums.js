// Sums over all users: base currencies against their limits, and assets.
//
// They are asked for, as no event tells of them: anew once something has changed, in rounds with
// pauses that grow with how many there are.

import { ask, Problem, why } from "./ask.js";
import { now, time } from "./clock.js";
import { share } from "./decimal.js";
import { amount, byId, chip, used } from "./dom.js";
import { Table } from "./table.js";
import { count, timeOf } from "./words.js";

const REST_MS = 1_500;
const REST_EACH_MS = 150;
const NAMES_MS = 10_000;
const AT_ONCE = 4;

export class Sums {
  // `sampled` is called with (kind, name, document) of each answer.
  constructor(world, { sampled, changed }) {
    Object.assign(this, { world, sampled, changed });
    this.known = new Map(); // "base EUR" -> {kind, name, document, at, failed}
    this.assets = [];
    this.seen = -1;
    this.quiet = 0;
    this.namesAt = -Infinity;
    this.notBefore = 0;
    this.isAsking = false;
    this.refused = null;
    this.bases = new Table(byId("bases-table"), {
      caption: "Base currencies",
      key: ({ name }) => name,
      look: (sum) => this.look(sum),
      dress: (sum) => this.dress(sum),
      columns: [
        { name: "base", label: "Base currency", cell: ({ name }) => name },
        { name: "used", label: "Used", cell: (sum) => [used(sum.document.utilisation), ...this.doubt(sum)] },
        { name: "current", label: "Exposure", kind: "amount", cell: ({ document }) => known(document.current) },
        { name: "max", label: "Limit", kind: "amount", cell: ({ document }) => known(document.max) },
        { name: "headroom", label: "Headroom", kind: "amount", cell: ({ document }) => known(document.headroom) },
        { name: "accounts", label: "Accounts", kind: "figure", cell: ({ document }) => document.accounts.toLocaleString() },
      ],
    });
    this.holdings = new Table(byId("assets-table"), {
      caption: "Assets",
      key: ({ name }) => name,
      look: (sum) => this.look(sum),
      dress: (sum) => this.dress(sum),
      columns: [
        { name: "asset", label: "Asset", cell: ({ name }) => name },
        { name: "total", label: "Total", kind: "amount", cell: (sum) => [amount(sum.document.total), ...this.doubt(sum)] },
        { name: "held", label: "Of it held", cell: ({ document }) => used(share(document.held, document.total) ?? "0", { calm: true }) },
        { name: "users", label: "Users", kind: "figure", cell: ({ document }) => document.users.toLocaleString() },
      ],
    });
  }

  forget() {
    this.known.clear();
    this.assets = [];
    this.refused = null;
    this.seen = -1;
    this.namesAt = -Infinity;
    this.draw();
  }

  // Called often: asks where something may have changed since the last round.
  tick() {
    if (this.isAsking || document.hidden || !this.world.isOpen || this.refused || now() < this.notBefore) return;
    // Sums follow users after a moment: one more round than there was a change.
    if (this.world.changes !== this.seen) this.quiet = 0;
    else if (this.quiet >= 2 && ![...this.known.values()].some((sum) => sum.failed)) return;
    else this.quiet += 1;
    this.seen = this.world.changes;
    this.round();
  }

  async round() {
    this.isAsking = true;
    let after = 0;
    try {
      await this.names();
      const wanted = [...[...this.world.bases].map((name) => ["base", name]), ...this.assets.map((name) => ["asset", name])];
      const next = wanted[Symbol.iterator]();
      const work = async () => {
        for (const [kind, name] of next) after = Math.max(after, await this.one(kind, name));
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
    } catch (error) {
      if (error instanceof Problem && error.status === 403) this.refused = error.message;
      after = error.retryAfterSeconds ?? 0;
    } finally {
      this.isAsking = false;
      this.notBefore = now() + Math.max(REST_MS, after * 1000, REST_EACH_MS * this.known.size);
      this.changed();
    }
  }

  async names() {
    if (now() < this.namesAt + NAMES_MS) return;
    this.assets = (await ask("/v1/assets")).assets;
    this.namesAt = now();
  }

  // Asks for one sum; the seconds after which it may be asked again.
  async one(kind, name) {
    const key = `${kind} ${name}`;
    const path = kind === "base" ? "bases" : "assets";
    try {
      const document = await ask(`/v1/${path}/${encodeURIComponent(name)}/exposure`);
      this.known.set(key, { kind, name, document, at: time(), failed: null });
      this.sampled(kind, name, document);
      return 0;
    } catch (error) {
      const before = this.known.get(key);
      if (before) before.failed = why(error);
      return error.retryAfterSeconds ?? 0;
    }
  }

  of(kind) {
    return [...this.known.values()].filter((sum) => sum.kind === kind).sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  draw() {
    this.bases.show(this.of("base"));
    this.holdings.show(this.of("asset"));
    for (const [id, kind, none] of [["bases-none", "base", "Nobody has a limit."], ["assets-none", "asset", "Nothing is held."]]) {
      const isNone = this.of(kind).length === 0;
      byId(id).hidden = !isNone;
      byId(id).textContent = this.refused ? `Not for this token: ${this.refused}.` : this.world.isWhole && this.namesAt > 0 ? none : "Being read …";
    }
  }

  // How many of the accounts that a sum is over are live: said beside it, whatever its number is.
  say({ accounts, states }) {
    const live = states.live ?? 0;
    const text = live === accounts ? `Over ${count(accounts, "account")}, all live.` : `Over the last known numbers: of ${count(accounts, "account")} ${live.toLocaleString()} are live.`;
    for (const id of ["bases-note", "assets-note"]) {
      byId(id).textContent = accounts ? text : "";
      byId(id).classList.toggle("doubtful", live !== accounts);
    }
  }

  isDoubtful(sum) {
    return sum.failed !== null || !this.world.isOpen;
  }

  dress(sum) {
    return this.isDoubtful(sum) ? "not-live" : "live";
  }

  doubt(sum) {
    return this.isDoubtful(sum) ? [chip("untold", `as of ${timeOf(sum.at)}`)] : [];
  }

  look(sum) {
    return JSON.stringify([sum.document, this.isDoubtful(sum) ? sum.at : null]);
  }
}

function known(text) {
  return text === null ? "unknown" : amount(text);
}
