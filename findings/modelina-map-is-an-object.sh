#!/usr/bin/env bash
# Types that Modelina 5.10.1 makes of a JSON Schema, whose own code then reads a document.
#
# TypeScript, classes with `marshalling`, as it comes: of `additionalProperties` it makes a `Map`, and
# its `unmarshal` leaves the plain object there. TypeScript is content, and `held.get` is no function.
# Java, with Jackson: a required integer is a `long`, and null is read into it as 0 without a word, so
# that "not known" and "none" are one. It says null only where the field is not required.
# Seen:
#   typescript: declared Map<string, string>, is Object, get is undefined
#   java: required long count 0, optional Long count null
# Needs bash, node and npm, a JDK from 17 on and Maven.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund --ignore-scripts --prefix . \
  @asyncapi/modelina@5.10.1 typescript@5.9.3 >/dev/null
cat >pom.xml <<'POM'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>findings</groupId><artifactId>findings</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>com.fasterxml.jackson.core</groupId><artifactId>jackson-databind</artifactId><version>2.23.0</version>
    </dependency>
  </dependencies>
</project>
POM
mvn -q -B -Dstyle.color=never dependency:copy-dependencies -DoutputDirectory=lib >/dev/null

cat >make.js <<'JS'
const { JavaFileGenerator, TypeScriptFileGenerator, JAVA_JACKSON_PRESET, TS_COMMON_PRESET } = require("@asyncapi/modelina");
const schema = (title, required) => ({
  $schema: "http://json-schema.org/draft-07/schema#", title, type: "object", required,
  properties: {
    held: { type: "object", additionalProperties: { type: "string" } },
    count: { type: "integer", format: "int64" },
  },
});
(async () => {
  const presets = [{ preset: TS_COMMON_PRESET, options: { marshalling: true } }];
  const typescript = new TypeScriptFileGenerator({ modelType: "class", presets });
  await typescript.generateToFiles(schema("Account", ["held"]), "ts", { exportType: "named" }, true);
  const java = new JavaFileGenerator({ presets: [JAVA_JACKSON_PRESET] });
  for (const [title, required] of [["Needed", ["held", "count"]], ["Optional", ["held"]]])
    await java.generateToFiles(schema(title, required), "java/made", { packageName: "made" }, true);
})();
JS
node make.js
node_modules/.bin/tsc --strict --target es2022 --module commonjs --outDir js ts/Account.ts
cat >read.js <<'JS'
const { Account } = require("./js/Account");
const [declared] = require("fs").readFileSync("ts/Account.ts", "utf8").match(/(?<=_held: ).*(?=;)/);
const { held } = Account.unmarshal('{"held": {"BTC": "1"}, "count": 2}');
console.log(`typescript: declared ${declared}, is ${held.constructor.name}, get is ${typeof held.get}`);
JS
cat >Read.java <<'JAVA'
import com.fasterxml.jackson.databind.ObjectMapper;
import made.Needed;
import made.Optional;

public class Read {
  public static void main(String[] words) throws Exception {
    var text = "{\"held\": {}, \"count\": null}";
    var needed = new ObjectMapper().readValue(text, Needed.class);
    var optional = new ObjectMapper().readValue(text, Optional.class);
    var kinds = new Class<?>[] {Needed.class.getMethod("getCount").getReturnType(), Optional.class.getMethod("getCount").getReturnType()};
    System.out.println("java: required " + kinds[0].getSimpleName() + " count " + needed.getCount()
        + ", optional " + kinds[1].getSimpleName() + " count " + optional.getCount());
  }
}
JAVA
javac -proc:none -cp 'lib/*' -d classes java/made/*.java Read.java
{
  timeout 60 node read.js
  timeout 60 java -cp 'classes:lib/*' Read
} | tee seen
diff - seen <<'EXPECTED' && echo "as found: @asyncapi/modelina 5.10.1, jackson-databind 2.23.0"
typescript: declared Map<string, string>, is Object, get is undefined
java: required long count 0, optional Long count null
EXPECTED
