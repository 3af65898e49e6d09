// Small pictures that stand beside words, drawn here so that none has to be fetched.

const SVG = "http://www.w3.org/2000/svg";

// What is filled, and what is drawn by a line of which width.
const DOT = { filled: "M8 3.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9z" };
const RING = "M8 1.8a6.2 6.2 0 1 0 0 12.4a6.2 6.2 0 1 0 0-12.4z";
const PICTURES = {
  live: DOT,
  connected: DOT,
  unconfirmed: { line: "M5.6 5.6a2.4 2.4 0 1 1 3.3 2.3c-.7.3-.9.7-.9 1.5M8 12.2v.6", width: 1.9 },
  stale: { line: `${RING}M8 4.4V8l2.6 1.8`, width: 1.6 },
  disconnected: { line: "M3 3l10 10M13 3L3 13", width: 2.2 },
  refused: { line: `${RING}M3.8 3.8l8.4 8.4`, width: 2 },
  untold: { line: "M2.5 8h1.6M7.2 8h1.6M11.9 8h1.6", width: 2.4 },
  near: { line: "M8 3l6 10.5H2z", width: 1.7 },
  over: { filled: "M8 2l6.8 12H1.2z" },
  warning: { line: "M8 2.5l6.3 11H1.7zM8 6.4v3.2M8 11.2v.5", width: 1.6 },
  breach: { filled: "M5 1.5h6l3.5 3.5v6L11 14.5H5L1.5 11V5z" },
  cleared: { line: "M2.5 8.5l3.5 3.5 7.5-8", width: 2 },
};

// Nobody has it read aloud: the word beside it says the same.
export function icon(name) {
  const { filled, line, width } = PICTURES[name] ?? PICTURES.unconfirmed;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", filled ?? line);
  path.setAttribute("fill", filled ? "currentColor" : "none");
  if (line) {
    path.setAttribute("stroke", "currentColor");
    path.setAttribute("stroke-width", width);
    path.setAttribute("stroke-linecap", "round");
    path.setAttribute("stroke-linejoin", "round");
  }
  svg.append(path);
  return svg;
}
