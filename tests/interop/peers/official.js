// Microsoft's client for JavaScript. Each line it prints is what it saw: ["name", value].
// node official.js URL KEY [again]: asks for balances, then as it is told on standard input.
const { createRequire } = require("node:module");
const { join } = require("node:path");
const { HubConnectionBuilder, LogLevel } = createRequire(join(process.cwd(), "x"))("@microsoft/signalr");

const [url, key, again] = process.argv.slice(2);
const said = (...words) => console.log(JSON.stringify(words));
const builder = new HubConnectionBuilder()
  .withUrl(url, { accessTokenFactory: () => key })
  .configureLogging(LogLevel.None);
const hub = (again ? builder.withAutomaticReconnect([0, 0, 0, 100, 100, 1000]) : builder).build();
hub.on("executionEvents", (event) => said("event", event));
hub.onreconnecting(() => said("reconnecting"));
hub.onreconnected(() => said("reconnected"));
hub.onclose((error) => said("closed", error ? error.message : null));

const commands = {
  ask: (argument) => hub.invoke("GetBalances", argument).then(
    (result) => said("result", result), (error) => said("failed", error.message)),
  call: (name) => hub.invoke(name).then(
    (result) => said("result", result), (error) => said("failed", error.message)),
  stop: () => hub.stop(),
};
(async () => {
  try {
    await hub.start();
    said("open");
  } catch (error) {
    said("not opened", error.message);
    process.exit(0);
  }
  for await (const line of require("node:readline").createInterface({ input: process.stdin })) {
    const [name, argument] = JSON.parse(line);
    await commands[name](argument);
  }
  process.exit(0);
})();
