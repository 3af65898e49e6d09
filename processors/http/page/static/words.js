// States, times and ages in words.

// The worst first. `untold` is the page's own: nobody tells of the number at this moment.
export const STATES = ["refused", "disconnected", "stale", "unconfirmed", "untold", "live"];

const RANKS = new Map([...STATES, "connected"].map((state, rank) => [state, rank]));

export function rankOf(state) {
  return RANKS.get(state) ?? 0;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

// A time of day; with the day where it is another one. Takes milliseconds, or RFC 3339.
export function timeOf(time) {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return String(time);
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
}

// The same to the minute, for an axis.
export function minuteOf(time) {
  return minute.format(new Date(time));
}

// How long ago, for a person.
export function age(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.floor(seconds)} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

export function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}
