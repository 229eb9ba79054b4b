/**
 * Puts the locally built addons under `prebuilds/`, where an installed package finds them. One run covers the libtorch
 * minor that is found; run it with another LIBTORCH for another minor.
 *
 *   node scripts/prebuild.mjs [--out DIR]    DIR: the package's folder, where `prebuilds/` goes
 */
import { copyFileSync, mkdirSync, renameSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";

const require = createRequire(import.meta.url);
const { findAddon, prebuildFolder, stampFile } = require("../dist/native/addon.js");
const { attemptLoad } = require("../dist/native/load.js");
const { packageRoot } = require("../dist/base/package.js");

const { values } = parseArgs({ options: { out: { type: "string", default: packageRoot } } });
const { libtorch } = attemptLoad();

for (const name of ["loader", `torch-${libtorch.minor}`]) {
  const { addon } = findAddon(packageRoot, name);
  const folder = prebuildFolder(values.out, name);
  // node-gyp-build looks for prebuilds/<platform>-<arch>/<name>.<tags>.node in the folder it is given.
  const base = basename(addon.file).split(".")[0];
  const file = join(folder, "prebuilds", `${process.platform}-${process.arch}`, `${base}.napi.glibc.node`);
  place(addon.file, file);
  place(stampFile(addon.folder), stampFile(folder));
  console.log(relative(process.cwd(), file));
}

function place(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  const temporary = `${to}.${process.pid}`;
  copyFileSync(from, temporary);
  renameSync(temporary, to);
}
