// Milliseconds to import smaug, or to open the same libtorch's libraries and nothing else. One JSON line.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const what = process.argv[2];
let start = performance.now();
if (what === "libtorch") {
  const nodeGypBuild = require("node-gyp-build");
  const { findAddon } = require("../../dist/native/addon.js");
  const { libraryFiles, locate } = require("../../dist/native/setup/locate.js");
  const { packageRoot } = require("../../dist/base/package.js");
  const loader = nodeGypBuild(findAddon(packageRoot, "loader").addon.folder);
  const paths = libraryFiles(locate({ env: process.env }).libtorch);
  start = performance.now();
  for (const path of paths) loader.open(path);
} else {
  require("smaug");
}
console.log(JSON.stringify({ bench: "load", what, ms: performance.now() - start }));
