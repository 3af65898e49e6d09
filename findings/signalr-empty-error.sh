#!/usr/bin/env bash
# One answer of a hub, {"type":3,"invocationId":…,"error":""}: has the call failed?
#
# @microsoft/signalr 10.0.11 (JavaScript): no, the promise is fulfilled, with undefined.
# com.microsoft.signalr 9.0.3 (Java):      yes, a HubException whose message is empty.
# Seen:
#   js    fulfilled undefined
#   java  failed HubException ""
# Both with their own words where the error has some ("error":"no"): rejected, failed.
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

# A hub that answers each call with a completion whose error is the call's argument.
cat >hub.js <<'JS'
const { WebSocketServer } = require("ws");
const END = "\x1e";
const hub = new WebSocketServer({ host: "127.0.0.1", port: 0 }, () => console.log(hub.address().port));
hub.on("connection", (socket) => socket.on("message", (data) => {
  for (const record of data.toString().split(END).filter(Boolean)) {
    const said = JSON.parse(record);
    if (said.protocol) socket.send("{}" + END);
    if (said.type === 1) {
      const answer = { type: 3, invocationId: said.invocationId, error: said.arguments[0] };
      socket.send(JSON.stringify(answer) + END);
    }
  }
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
  const url = `http://127.0.0.1:${process.argv[2]}/hub`;
  const hub = new HubConnectionBuilder().withUrl(url, options).configureLogging(LogLevel.None).build();
  await hub.start();
  for (const error of ["no", ""]) {
    await hub.invoke("Ask", error).then(
      (result) => console.log("js fulfilled", result),
      (reason) => console.log("js rejected", JSON.stringify(reason.message)));
  }
  await hub.stop();
})();
JS
cat >Client.java <<'JAVA'
import com.microsoft.signalr.HubConnectionBuilder;
import com.microsoft.signalr.TransportEnum;
import java.util.List;
import java.util.concurrent.TimeUnit;

public class Client {
  public static void main(String[] args) {
    var hub = HubConnectionBuilder.create("http://127.0.0.1:" + args[0] + "/hub")
        .shouldSkipNegotiate(true).withTransport(TransportEnum.WEBSOCKETS).build();
    hub.start().blockingAwait(10, TimeUnit.SECONDS);
    for (var error : List.of("no", "")) {
      try {
        var result = hub.invoke(String.class, "Ask", error).timeout(10, TimeUnit.SECONDS).blockingGet();
        System.out.println("java succeeded " + result);
      } catch (RuntimeException failed) {
        System.out.println("java failed " + failed.getClass().getSimpleName() + " \"" + failed.getMessage() + "\"");
      }
    }
    System.exit(0);
  }
}
JAVA
{ timeout 60 node client.js "$port"; timeout 60 java -cp 'lib/*' Client.java "$port"; } | tee seen
diff - seen <<'EXPECTED' && echo "as found: @microsoft/signalr 10.0.11, com.microsoft.signalr 9.0.3"
js rejected "no"
js fulfilled undefined
java failed HubException "no"
java failed HubException ""
EXPECTED
