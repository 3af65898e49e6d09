// A real table whose rows are kept and moved, not made anew: what has the focus keeps it.
//
// On a narrow screen the style lays each row out as a card. A browser forgets then that it is a
// table, so each part says what it is.

import { alignPoints, el } from "./dom.js";

export class Table {
  // `columns`: {name, label, kind: "amount" | "figure" | "", cell: (item) => element or text}. The
  // first one's cells head their rows. `key` names an item, `look` is a text that changes with what
  // is shown of it; `dress` may set the row's class.
  constructor(place, { caption, columns, key, look, dress = () => "" }) {
    Object.assign(this, { columns, key, look, dress });
    this.rows = new Map();
    this.body = el("tbody", { role: "rowgroup" });
    const heads = columns.map(({ name, label, kind = "" }) =>
      el("th", { scope: "col", role: "columnheader", class: kind, "data-column": name, "data-amount": kind === "amount" }, label),
    );
    this.element = el(
      "table",
      { role: "table" },
      el("caption", { class: "unseen" }, caption),
      el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...heads)),
      this.body,
    );
    place.replaceChildren(this.element);
  }

  show(items) {
    const focused = this.body.contains(document.activeElement) ? document.activeElement : null;
    const gone = new Set(this.rows.keys());
    let hasChanged = false;
    let next = this.body.firstChild;
    for (const item of items) {
      const key = this.key(item);
      gone.delete(key);
      const row = this.rows.get(key) ?? this.made(key);
      const look = this.look(item);
      if (row.look !== look) {
        row.look = look;
        this.fill(row, item);
        hasChanged = true;
      }
      if (row.element === next) next = next.nextSibling;
      else this.body.insertBefore(row.element, next);
    }
    for (const key of gone) {
      this.rows.get(key).element.remove();
      this.rows.delete(key);
      hasChanged = true;
    }
    if (hasChanged) alignPoints(this.element);
    if (focused && document.activeElement !== focused && focused.isConnected) focused.focus({ preventScroll: true });
  }

  made(key) {
    const cells = this.columns.map(({ name, label, kind = "" }, at) =>
      el(at ? "td" : "th", { role: at ? "cell" : "rowheader", scope: at ? null : "row", class: kind, "data-column": name, "data-label": label }),
    );
    const row = { element: el("tr", { role: "row" }, ...cells), cells, look: null };
    this.rows.set(key, row);
    return row;
  }

  fill(row, item) {
    row.element.className = this.dress(item);
    this.columns.forEach(({ cell }, at) => {
      const holds = row.cells[at].contains(document.activeElement);
      const made = cell(item);
      row.cells[at].replaceChildren(...(Array.isArray(made) ? made : [made]));
      if (holds) row.cells[at].querySelector("button")?.focus({ preventScroll: true });
    });
  }
}
