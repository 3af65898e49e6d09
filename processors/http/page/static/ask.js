// Questions to the worker. The token lives in this module, for as long as the page does.

let token = null;

export class Problem extends Error {
  constructor(status, detail, retryAfterSeconds) {
    super(detail);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

export function setToken(text) {
  token = text;
}

// A response that is 200; raises Problem for any other, TypeError where nobody answers.
export async function open(path, { headers = {}, signal } = {}) {
  const sent = token === null ? headers : { ...headers, Authorization: `Bearer ${token}` };
  const response = await fetch(path, { headers: sent, signal, cache: "no-store", credentials: "omit" });
  if (response.ok) return response;
  const retry = Number(response.headers.get("Retry-After"));
  throw new Problem(response.status, await detailOf(response), Number.isFinite(retry) ? retry : 0);
}

// A JSON answer; no answer within ten seconds is none.
export async function ask(path) {
  return (await open(path, { signal: AbortSignal.timeout(10_000) })).json();
}

async function detailOf(response) {
  try {
    const problem = await response.json();
    return String(problem.detail ?? problem.title ?? response.statusText);
  } catch {
    return response.statusText || `status ${response.status}`;
  }
}

// Why a question came to nothing, in a sentence's part.
export function why(error) {
  if (error instanceof Problem) return error.message;
  return error.name === "TimeoutError" ? "no answer within ten seconds" : "the worker does not answer";
}
