// Reads documents with generated code, and tells what it read: `node read.js KIND FOLDER < LINES`.
// A line is a topic, a tab and JSON; its answer is JSON, or `!` and why it was not read.
const fs = require("fs");
const path = require("path");
const [kind, folder] = process.argv.slice(2);
const title = (topic) => JSON.parse(fs.readFileSync(path.join(folder, `${topic}.schema.json`))).title;
const READERS = {
  // The types are gone at run time: what reads is JavaScript's own.
  plain: () => (text) => JSON.stringify(JSON.parse(text)),
  lossless: () => {
    const { parse, stringify, parseNumberAndBigInt } = require("lossless-json");
    return (text) => stringify(parse(text, null, parseNumberAndBigInt));
  },
  quicktype: (topic) => {
    const { Convert } = require(path.join(folder, "made", topic.replaceAll(".", "_")));
    return (text) => JSON.stringify(JSON.parse(Convert.documentToJson(Convert.toDocument(text))));
  },
  modelina: (topic) => {
    const name = title(topic);
    const type = require(path.join(folder, "made", topic.replaceAll(".", "_"), name))[name];
    return (text) => type.unmarshal(text).marshal();
  },
};
const readers = {};
for (const line of fs.readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const [topic, text] = line.split("\t");
  try {
    readers[topic] ??= READERS[kind](topic);
    console.log(readers[topic](text).replaceAll("\n", " "));
  } catch (error) {
    console.log(`!${String(error.message).replace(/\s+/g, " ")}`);
  }
}
