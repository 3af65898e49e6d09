// A token is asked for where the worker wants one. It is kept in memory only: a page that is
// loaded again asks again.

import { byId } from "./dom.js";

export class Login {
  // `given` is called with the token.
  constructor({ given }) {
    this.isShown = false;
    byId("login-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const field = byId("token");
      const token = field.value.trim();
      field.value = "";
      if (isSendable(token)) given(token);
      else this.show("this is no token");
    });
  }

  // `problem`: what was wrong with the last one; "" before the first.
  show(problem) {
    this.isShown = true;
    byId("login").hidden = false;
    byId("login-problem").textContent = problem ? `That did not work: ${problem}.` : "";
    byId("token").setAttribute("aria-invalid", String(Boolean(problem)));
    byId("token").focus();
  }

  hide() {
    this.isShown = false;
    byId("login").hidden = true;
    byId("login-problem").textContent = "";
  }
}

// What a header may carry: anything else could not be anybody's token.
function isSendable(token) {
  return /^[\x21-\x7e]{1,4096}$/.test(token);
}
