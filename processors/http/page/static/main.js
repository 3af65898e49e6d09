// The page: what its parts are, who tells them, and when they are drawn.

import { Alerts } from "./alerts.js";
import { Problem, setToken, why } from "./ask.js";
import { Chart } from "./chart.js";
import { now } from "./clock.js";
import { byId } from "./dom.js";
import { Feeds } from "./feeds.js";
import { History } from "./history.js";
import { Login } from "./login.js";
import { Standing } from "./standing.js";
import { Stream } from "./stream.js";
import { Sums } from "./sums.js";
import { UserPanel } from "./user.js";
import { Users } from "./users.js";
import { World } from "./world.js";

const KINDS = ["exposure", "freshness", "alert"];
const TICK_MS = 250;
const COUNT_MS = 500;
const COUNT_REST = 20; // of the time it counts a twentieth at most

let isWanted = false;

// Whatever has changed, it is drawn once before the next picture.
function changed() {
  if (isWanted) return;
  isWanted = true;
  requestAnimationFrame(draw);
}

const world = new World({ changed, alerted: (alert) => alerts.came(alert) });
const history = new History();
const standing = new Standing(world, { hurry: () => stream?.hurry() });
const panel = new UserPanel(world, { closed });
const users = new Users(world, { open: openUser, changed });
const alerts = new Alerts(world, { open: openUser });
const sums = new Sums(world, { changed, sampled: (...sample) => history.note(...sample) });
const feeds = new Feeds(world, { changed });
const chart = new Chart(history);
const login = new Login({ given: (token) => begin(token) });
const parts = [users, alerts, sums, chart];

let stream = null;
let counted = world.counted();
let countNotBefore = -Infinity;

function draw() {
  isWanted = false;
  const at = now();
  if (at >= countNotBefore) {
    counted = world.counted();
    countNotBefore = at + Math.max(COUNT_MS, (now() - at) * COUNT_REST);
    sums.say(counted);
  }
  standing.draw(counted);
  feeds.draw(counted);
  for (const part of parts) part.draw();
}

function openUser(name) {
  users.selected = name;
  panel.show(name);
  changed();
}

function closed(name) {
  users.selected = null;
  users.draw();
  const button = [...document.querySelectorAll("#users-table button.name")].find((one) => one.textContent === name);
  (button ?? byId("search")).focus();
}

// Reads the worker's events, from the beginning; `token` is null where none is known to be needed.
function begin(token) {
  setToken(token);
  stream?.stop();
  const path = `/v1/events?snapshot=true&${KINDS.map((kind) => `kind=${kind}`).join("&")}`;
  stream = new Stream(path, {
    tell: (kind, data) => world.take(kind, data),
    heard: () => standing.heard(),
    opened: () => {
      login.hide();
      byId("main").hidden = false;
      standing.opened();
      world.opened();
      changed();
    },
    lost: (error, wait) => lost(token, error, wait),
  });
  stream.run();
}

function lost(token, error, wait) {
  if (error instanceof Problem && error.status === 401) {
    empty();
    login.show(token === null ? "" : error.message);
    return;
  }
  world.lost();
  history.interrupt();
  standing.lost(error === null ? "the worker ended the connection" : why(error), wait);
  changed();
}

// Who has no right to what is on the page any more does not see it.
function empty() {
  setToken(null);
  byId("main").hidden = true;
  if (panel.name !== null) panel.close();
  world.forget();
  history.forget();
  sums.forget();
  feeds.forget();
  users.page = 0;
  standing.asked();
  changed();
}

setInterval(() => {
  if (login.isShown) return;
  if (sums.refused) world.isPartial = true;
  sums.tick();
  feeds.tick();
  panel.tick();
  changed();
}, TICK_MS);

addEventListener("online", () => stream?.hurry());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  stream?.hurry();
  changed();
});
byId("feeds-all").addEventListener("toggle", changed);

begin(null);
