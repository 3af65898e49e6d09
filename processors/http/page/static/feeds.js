// The connections to the venues: each venue in a line, and every connection that is not well.

import { ask, Problem, why } from "./ask.js";
import { now, time } from "./clock.js";
import { byId, chip, el } from "./dom.js";
import { Table } from "./table.js";
import { age, count, rankOf, sentence, STATES, timeOf } from "./words.js";

const AGAIN_MS = 2_000;
const SILENT_SECONDS = 10; // a producer tells of itself every second
const SHOWN = 50;

export class Feeds {
  constructor(world, { changed }) {
    Object.assign(this, { world, changed });
    this.feeds = null;
    this.failed = null;
    this.askedAt = -Infinity;
    this.readAt = this.readTime = null;
    this.isAsking = false;
    this.venues = new Table(byId("venues-table"), {
      caption: "Venues",
      key: ({ venue }) => venue,
      look: JSON.stringify,
      dress: ({ state }) => (state === "connected" ? "live" : "not-live"),
      columns: [
        { name: "venue", label: "Venue", cell: ({ venue }) => venue },
        { name: "state", label: "Connections", cell: ({ state, words }) => chip(state, words) },
        { name: "heard", label: "Heard", kind: "figure", cell: ({ heard }) => heard },
        { name: "accounts", label: "Accounts", cell: ({ accounts }) => el("span", { class: "small" }, accounts) },
      ],
    });
    this.each = new Table(byId("feeds-table"), {
      caption: "Connections",
      key: ({ venue, name }) => `${venue}/${name}`,
      look: JSON.stringify,
      dress: ({ state }) => (state === "connected" ? "live" : "not-live"),
      columns: [
        { name: "connection", label: "Connection", cell: ({ venue, name }) => (name ? `${venue} ${name}` : venue) },
        { name: "state", label: "State", cell: ({ state, reason }) => [chip(state), ...(reason ? [el("span", { class: "reason" }, reason)] : [])] },
        { name: "since", label: "Since", cell: ({ since }) => since },
        { name: "gaps", label: "Gaps", kind: "figure", cell: ({ gaps }) => gaps.toLocaleString() },
        { name: "reconnects", label: "Reconnects", kind: "figure", cell: ({ reconnects }) => reconnects.toLocaleString() },
      ],
    });
  }

  forget() {
    this.feeds = this.failed = null;
    this.askedAt = -Infinity;
    this.draw({ venues: {} });
  }

  tick() {
    if (this.isAsking || document.hidden || now() < this.askedAt + AGAIN_MS) return;
    this.ask();
  }

  async ask() {
    this.isAsking = true;
    this.askedAt = now();
    try {
      this.feeds = (await ask("/v1/feeds")).feeds;
      this.readAt = now();
      this.readTime = time();
      this.failed = null;
    } catch (error) {
      this.failed = why(error);
      const isFinal = error instanceof Problem && error.status === 403;
      this.askedAt += isFinal ? Infinity : (error.retryAfterSeconds ?? 0) * 1000;
    } finally {
      this.isAsking = false;
      this.changed();
    }
  }

  draw({ venues }) {
    const feeds = (this.feeds ?? []).map((feed) => this.seen(feed));
    const names = [...new Set(feeds.map(({ venue }) => venue))].sort();
    this.venues.show(names.map((venue) => lineOf(venue, feeds.filter((feed) => feed.venue === venue), venues[venue] ?? {})));
    feeds.sort((one, other) => rankOf(one.state) - rankOf(other.state) || one.at - other.at);
    const all = byId("feeds-all").open;
    const shown = feeds.filter((feed) => all || feed.state !== "connected").slice(0, SHOWN);
    this.each.show(shown.map(({ at, heard, ...rest }) => rest));
    byId("feeds-table").hidden = shown.length === 0;
    byId("feeds-count").textContent = feeds.length > SHOWN ? `The first ${SHOWN} of ${feeds.length} connections` : `All ${count(feeds.length, "connection")}`;
    byId("feeds-all").hidden = feeds.length === 0;
    byId("feeds-none").hidden = this.feeds !== null && this.failed === null && feeds.length > 0;
    byId("feeds-none").textContent = this.note();
  }

  note() {
    if (this.failed !== null) return `${this.readAt === null ? "Not known" : `As of ${timeOf(this.readTime)}`}: ${this.failed}.`;
    return this.feeds === null ? "Being read …" : "No venue has been heard of yet.";
  }

  // A connection as a person is told of it; one whose producer is silent is no longer known to be.
  seen(feed, at) {
    const silent = feed.silent_seconds;
    const isSilent = silent === null || silent > SILENT_SECONDS;
    const isUnread = this.failed !== null || now() > this.readAt + SILENT_SECONDS * 1000;
    let { state } = feed;
    let reason = sentence(feed.doubt?.reason);
    if (state === "connected" && isUnread) [state, reason] = ["untold", "not read since then"];
    else if (state === "connected" && isSilent) [state, reason] = ["stale", silent === null ? "its producer was not heard" : `its producer is silent for ${age(silent)}`];
    else if (state === "connected" && feed.doubt !== null) state = "unconfirmed";
    const before = feed.last_heard === null ? null : (Date.parse(feed.time) - Date.parse(feed.last_heard)) / 1000;
    return {
      venue: feed.venue,
      name: feed.connection,
      state,
      reason,
      since: feed.since === null ? "" : timeOf(feed.since),
      gaps: feed.gaps,
      reconnects: feed.reconnects,
      heard: before === null || silent === null ? null : Math.max(0, before) + silent,
      at,
    };
  }
}

function lineOf(venue, feeds, accounts) {
  const well = feeds.filter(({ state }) => state === "connected").length;
  const worst = feeds.reduce((found, { state }) => (rankOf(state) < rankOf(found) ? state : found), "live");
  const state = well === feeds.length ? "connected" : worst;
  const heard = feeds.map((feed) => feed.heard).filter((seconds) => seconds !== null);
  return {
    venue,
    state,
    words: feeds.length === 1 ? state : `${well} of ${feeds.length} connected`,
    heard: heard.length ? `${age(Math.min(...heard))} ago` : "never",
    accounts: STATES.toReversed().filter((one) => accounts[one]).map((one) => `${accounts[one].toLocaleString()} ${one}`).join(", "),
  };
}
