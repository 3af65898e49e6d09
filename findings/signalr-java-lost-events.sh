#!/usr/bin/env bash
# Two events that the hub protocol allows, to Microsoft's two clients, each with a second event
# behind it: one with `headers`, and one with an argument more than the handler takes.
#
# com.microsoft.signalr 9.0.3 (Java): the headers end the connection ("Headers not implemented
#   yet."); the event with an argument more is lost, the connection stays, and the application is
#   told nothing of it but by a log line. Nor does an event with an argument less arrive.
# @microsoft/signalr 10.0.11 (JavaScript): hands all of them over.
# Seen: the table at the end of this file.
# Needs bash, node and npm, a JDK from 11 on and Maven.
set -euo pipefail
work=$(mktemp -d)
hub=
trap 'if [ -n "$hub" ]; then kill "$hub" 2>/dev/null || true; wait "$hub" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund --prefix . @microsoft/signalr@10.0.11 ws@8.23.0 >/dev/null
cat >pom.xml <<'POM'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>findings</groupId><artifactId>findings</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>com.microsoft.signalr</groupId><artifactId>signalr</artifactId><version>9.0.3</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
POM
mvn -q -B -Dstyle.color=never dependency:copy-dependencies -DoutputDirectory=lib >/dev/null

# A hub that sends, after the handshake, what the address names; then the event "last".
cat >hub.js <<'JS'
const { WebSocketServer } = require("ws");
const END = "\x1e";
const event = (...told) => ({ type: 1, target: "told", arguments: told });
const record = (value) => JSON.stringify(value) + END;
const messages = {
  plain: [record(event("first"))],
  headers: [record({ headers: { trace: "1" }, ...event("first") })],
  more: [record(event("first", "more"))],
  less: [record(event())],
};
const hub = new WebSocketServer({ host: "127.0.0.1", port: 0 }, () => console.log(hub.address().port));
hub.on("connection", (socket, request) => socket.once("message", () => {
  socket.send("{}" + END);
  for (const message of messages[request.url.slice(1)]) socket.send(message);
  socket.send(record(event("last")));
}));
JS
node hub.js >port &
hub=$!
for _ in $(seq 100); do [ -s port ] && break; sleep 0.1; done
port=$(cat port)

cat >client.js <<'JS'
const { HubConnectionBuilder, HttpTransportType, LogLevel } = require("@microsoft/signalr");
(async () => {
  const options = { skipNegotiation: true, transport: HttpTransportType.WebSockets };
  for (const name of ["plain", "headers", "more", "less"]) {
    const url = `http://127.0.0.1:${process.argv[2]}/${name}`;
    const hub = new HubConnectionBuilder().withUrl(url, options).configureLogging(LogLevel.None).build();
    const seen = [];
    const over = new Promise((done) => {
      hub.on("told", (told) => { seen.push(told ?? "nothing"); if (told === "last") done(); });
      hub.onclose((error) => { seen.push(error.message); done(); });
    });
    await hub.start();
    await over;
    console.log("js", name + ":", seen.join(", "));
    await hub.stop();
  }
})();
JS
cat >Client.java <<'JAVA'
import com.microsoft.signalr.HubConnectionBuilder;
import com.microsoft.signalr.TransportEnum;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

public class Client {
  public static void main(String[] args) throws Exception {
    for (var name : List.of("plain", "headers", "more", "less")) {
      var hub = HubConnectionBuilder.create("http://127.0.0.1:" + args[0] + "/" + name)
          .shouldSkipNegotiate(true).withTransport(TransportEnum.WEBSOCKETS).build();
      var seen = new CopyOnWriteArrayList<String>();
      var over = new CountDownLatch(1);
      hub.on("told", told -> { seen.add(told); if (told.equals("last")) over.countDown(); }, String.class);
      hub.onClosed(error -> { seen.add(error.getMessage()); over.countDown(); });
      hub.start().onErrorComplete().blockingAwait(10, TimeUnit.SECONDS);
      over.await(10, TimeUnit.SECONDS);
      System.out.println("java " + name + ": " + String.join(", ", seen));
      hub.stop();
    }
    System.exit(0);
  }
}
JAVA
{ timeout 60 node client.js "$port"; timeout 60 java -cp 'lib/*' Client.java "$port"; } | tee seen
diff - seen <<'EXPECTED' && echo "as found: @microsoft/signalr 10.0.11, com.microsoft.signalr 9.0.3"
js plain: first, last
js headers: first, last
js more: first, last
js less: nothing, last
java plain: first, last
java headers: Headers not implemented yet.
java more: last
java less: last
EXPECTED
