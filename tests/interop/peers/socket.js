// `ws`, against sFOX: node socket.js URL KEY COUNT. Prints each message as JSON text, then the close.
const { createRequire } = require("node:module");
const { join } = require("node:path");
const WebSocket = createRequire(join(process.cwd(), "x"))("ws");

const [url, key] = process.argv.slice(2);
const said = (...words) => console.log(JSON.stringify(words));
const socket = new WebSocket(url);
const send = (request) => socket.send(JSON.stringify(request));
socket.on("open", () => send({ type: "authenticate", apiKey: key, enterprise: "true" }));
socket.on("message", (data, isBinary) => {
  const text = data.toString();
  said(isBinary ? "binary" : "text", text);
  const answer = JSON.parse(text);
  if (answer.type === "success" && answer.action === "authenticate") {
    send({ type: "subscribe", feeds: ["private.enterprise.users.balances"] });
  }
});
socket.on("pong", () => said("pong"));
socket.on("error", (error) => said("error", error.message));
socket.on("close", (code, reason) => { said("closed", code, reason.toString()); process.exit(0); });
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "ping") socket.ping();
  if (line === "stop") socket.close(1000);
});
