// What the page knows of users and alerts, and whether anybody still tells it. No document here.

import { time } from "./clock.js";
import { compare } from "./decimal.js";
import { partitionOf } from "./partition.js";
import { rankOf } from "./words.js";

const ALERTS_MAX = 200;
const ALERT_RANKS = { breach: 0, warning: 1 };

class User {
  constructor(name, alerts) {
    this.name = name;
    this.alerts = alerts; // what stands, by rule and limit
    this.lower = name.toLowerCase();
    this.version = 0;
    this.top = null; // the limit that is used most, of those whose use is known
    this.order = -1; // its use as a float: to sort by, where texts decide among equals
    this.limits = 0;
    this.freshness = { state: "unconfirmed", cause: null, reason: "not told yet", since: null, accounts: [] };
    this.toldIn = 0;
    this.partition = null;
  }

  // The worst level that stands: "breach", "warning" or null.
  get alert() {
    let worst = null;
    for (const { level } of this.alerts.values()) if (worst !== "breach") worst = level;
    return worst;
  }
}

export class World {
  // `changed` is called after each event, `alerted` with each alert that is news.
  constructor({ changed, alerted }) {
    this.changed = changed;
    this.alerted = alerted;
    this.forget();
  }

  // All of it: for who comes next.
  forget() {
    this.users = new Map();
    this.standing = new Map(); // alerts by user: they may come before the user does
    this.bases = new Set();
    this.recent = []; // alerts, the newest first
    this.connection = 0;
    this.isOpen = false;
    this.lostAt = null;
    this.known = new Set(); // partitions that were ever spoken of
    this.current = new Set();
    this.partitions = 0;
    this.isPartial = false; // a token for some users: how many partitions there are is not told
    this.isWhole = false; // once all that there is was told
    this.changes = 0;
  }

  opened() {
    this.connection += 1;
    this.isOpen = true;
    this.current.clear();
    this.changed();
  }

  lost() {
    this.lostAt ??= time();
    this.isOpen = false;
    this.current.clear();
    this.changed();
  }

  take(kind, data) {
    if (kind === "exposure") this.expose(data);
    else if (kind === "freshness") this.refresh(data);
    else if (kind === "alert") this.alert(data);
    else if (kind === "reset" || kind === "current" || kind === "moved") this.place(kind, data.partitions);
    else return; // a later worker's: not for this page
    this.changes += 1;
    this.changed();
  }

  expose({ user: name, version, deleted, limits, freshness }) {
    if (deleted) {
      this.users.delete(name);
      return;
    }
    const user = this.user(name);
    user.version = version;
    user.limits = limits.length;
    user.top = null;
    for (const limit of limits) {
      if (limit.asset === null && limit.base_currency !== null) this.bases.add(limit.base_currency);
      const share = limit.utilisation;
      if (share !== null && (user.top === null || compare(share, user.top.utilisation) > 0)) user.top = limit;
    }
    user.order = user.top === null ? -1 : Number(user.top.utilisation);
    this.fresh(user, freshness);
  }

  refresh({ user: name, deleted, freshness }) {
    if (deleted) this.users.delete(name);
    else this.fresh(this.user(name), freshness);
  }

  fresh(user, freshness) {
    user.freshness = freshness;
    user.toldIn = this.connection;
  }

  alert(alert) {
    const known = this.users.get(alert.user);
    const isNews = known !== undefined && this.current.has(this.partitionOf(known));
    const standing = this.standingOf(alert.user);
    const key = [alert.venue, alert.account, alert.asset, alert.base_currency, alert.rule].join("\n");
    if (alert.level === "cleared") standing.delete(key);
    else standing.set(key, alert);
    if (this.recent.some((one) => isSame(one, alert))) return;
    this.recent.push(alert);
    this.recent.sort((one, other) => (one.time < other.time ? 1 : -1));
    this.recent.length = Math.min(this.recent.length, ALERTS_MAX);
    if (isNews) this.alerted(alert);
  }

  standingOf(name) {
    let standing = this.standing.get(name);
    if (standing === undefined) this.standing.set(name, (standing = new Map()));
    return standing;
  }

  place(kind, partitions) {
    for (const one of partitions) {
      this.known.add(one);
      this.partitions = Math.max(this.partitions, one + 1);
      if (kind === "current") this.current.add(one);
      else this.current.delete(one);
    }
    if (kind === "reset") this.forgetStanding(new Set(partitions));
    if (kind === "moved") this.lostAt ??= time();
    if (this.isAllCurrent) {
      this.isWhole = true;
      this.lostAt = null;
    }
  }

  // Behind a reset what stands is told again; what ended meanwhile is not. To whom it is not told how
  // many partitions there are, nobody's partition is known: all of them have to be told anew.
  forgetStanding(partitions) {
    const isAll = [...this.known].every((one) => partitions.has(one));
    for (const [name, alerts] of this.standing) {
      if (this.isPartial ? isAll : partitions.has(partitionOf(name, Math.max(1, this.partitions)))) alerts.clear();
    }
  }

  // Whether all partitions that there are, as far as is known, are told of.
  get isAllCurrent() {
    return this.isOpen && this.current.size >= (this.isPartial ? this.known.size : this.partitions);
  }

  user(name) {
    let user = this.users.get(name);
    if (user === undefined) this.users.set(name, (user = new User(name, this.standingOf(name))));
    return user;
  }

  partitionOf(user) {
    if (user.partition === null || user.of !== this.partitions) {
      user.of = this.partitions;
      user.partition = partitionOf(user.name, Math.max(1, this.partitions));
    }
    return user.partition;
  }

  // Whether somebody tells of a user at this moment.
  isTold(user) {
    if (!this.isOpen) return false;
    if (this.isPartial) return this.isAllCurrent || (user.toldIn === this.connection && !this.isWhole);
    return this.current.has(this.partitionOf(user)) || (user.toldIn === this.connection && !this.isWhole);
  }

  // How true a user's number is, as far as this page can know.
  stateOf(user) {
    return this.isTold(user) || user.freshness.state !== "live" ? user.freshness.state : "untold";
  }

  isInTrouble(user) {
    return this.stateOf(user) !== "live" || user.alerts.size > 0;
  }

  // How many users, accounts by state, and users with an alert.
  counted() {
    const found = { users: this.users.size, accounts: 0, states: {}, venues: {}, alerts: 0, over: 0 };
    for (const user of this.users.values()) {
      const isTold = this.isTold(user);
      if (user.alerts.size) found.alerts += 1;
      if (user.order >= 1) found.over += 1;
      for (const { venue, state } of user.freshness.accounts) {
        const shown = isTold || state !== "live" ? state : "untold";
        const of = (found.venues[venue] ??= {});
        of[shown] = (of[shown] ?? 0) + 1;
        found.states[shown] = (found.states[shown] ?? 0) + 1;
        found.accounts += 1;
      }
    }
    return found;
  }
}

export const ORDERS = {
  utilisation: (one, other) => byUse(one, other) || byName(one, other),
  name: (one, other) => byName(one, other),
  trouble: (one, other) => one.trouble - other.trouble || byUse(one, other) || byName(one, other),
};

// How bad it is, the worst least: a state that is not live, an alert, a limit that is passed.
export function troubleOf(state, user) {
  const alert = user.alerts.size ? (ALERT_RANKS[user.alert] ?? 1) * 3 + 1 : 9;
  return Math.min(state === "live" ? 9 : rankOf(state), alert);
}

function byUse(one, other) {
  if (one.order !== other.order) return other.order - one.order;
  if (one.top === null || other.top === null) return 0;
  return compare(other.top.utilisation, one.top.utilisation);
}

function byName(one, other) {
  return one.name < other.name ? -1 : Number(one.name > other.name);
}

function isSame(one, other) {
  return ["time", "level", "user", "venue", "account", "asset", "rule"].every((name) => one[name] === other[name]);
}
