// Modelina makes types of the schemas in a folder: `node modelina.js LANGUAGE DIALECT FOLDER OUT`.
// DIALECT: what `$schema` says then, or "own". A folder, and a package, for each schema.
const fs = require("fs");
const path = require("path");
const { JavaFileGenerator, TypeScriptFileGenerator, JAVA_JACKSON_PRESET, TS_COMMON_PRESET } = require("@asyncapi/modelina");
const [language, dialect, folder, out] = process.argv.slice(2);
const marshalling = { preset: TS_COMMON_PRESET, options: { marshalling: true } };
const GENERATORS = {
  java: () => new JavaFileGenerator({ presets: [JAVA_JACKSON_PRESET], collectionType: "List" }),
  typescript: () => new TypeScriptFileGenerator({ modelType: "class", mapType: "record", presets: [marshalling] }),
};
(async () => {
  for (const file of fs.readdirSync(folder).filter((name) => name.endsWith(".schema.json"))) {
    const input = JSON.parse(fs.readFileSync(path.join(folder, file), "utf8"));
    if (dialect !== "own") input.$schema = dialect;
    const packageName = file.replace(".schema.json", "").replaceAll(".", "_");
    const options = language === "java" ? { packageName } : { exportType: "named" };
    await GENERATORS[language]().generateToFiles(input, path.join(out, packageName), options, true);
  }
})().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
