// Elements, made one by one: texts go in as texts, whatever they look like.

import { filled, groups, parts, percent } from "./decimal.js";
import { icon } from "./icons.js";

export function byId(id) {
  return document.getElementById(id);
}

// An element with attributes and children; children are elements, texts, or null for none.
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== null && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// An amount, exact: its groups of three are set apart by the style alone, so that what is copied,
// or read aloud, is the number itself.
export function amount(text) {
  const [whole, rest] = parts(text);
  const digits = groups(whole).map((group) => el("span", { class: "group" }, group));
  return el("span", { class: "amount" }, el("span", { class: "whole" }, ...digits), el("span", { class: "rest" }, rest));
}

// Has the points of a column's amounts stand under each other: as wide as its longest fraction.
export function alignPoints(table) {
  for (const column of table.querySelectorAll("th[data-amount]")) {
    const cells = table.querySelectorAll(`td[data-column="${column.dataset.column}"] .rest`);
    let places = 0;
    for (const cell of cells) places = Math.max(places, cell.textContent.length);
    table.style.setProperty(`--places-${column.dataset.column}`, places);
  }
}

const NEAR = 0.8;

// How much of something is used: the figure, and a bar beside it for the eye.
export function used(text, { calm = false } = {}) {
  if (text === null) return el("span", { class: "used" }, el("span", { class: "percent none" }, "unknown"));
  const share = filled(text);
  const level = calm ? "calm" : share >= 1 ? "over" : share >= NEAR ? "near" : "ordinary";
  const bar = el("span", { class: "bar", "aria-hidden": "true" }, el("span", { class: "fill" }));
  bar.firstChild.style.width = `${share * 100}%`;
  const mark = level === "over" ? icon("over") : level === "near" ? icon("near") : null;
  return el(
    "span",
    { class: `used ${level}` },
    el("span", { class: "percent" }, mark, percent(text), level === "over" ? el("span", { class: "unseen" }, " (at or over the limit)") : null),
    bar,
  );
}

// A state in a word, with its picture.
export function chip(state, word = state) {
  return el("span", { class: `chip ${state}` }, icon(state), word);
}
