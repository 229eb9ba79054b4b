/**
 * From a bare clone to a working checkout: dependencies, compiled TypeScript, libtorch and the addon. Each step is
 * skipped when its result is current, so that `npm start` and `npm test` call this every time. No dependencies.
 *
 *   node scripts/bootstrap.mjs [compile]    compile: stop before libtorch
 *   node scripts/bootstrap.mjs [--libtorch DIR | --fetch | --build]    handed on to `smaug setup`
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const path = (...names) => join(root, ...names);
const say = (text) => process.stderr.write(`smaug: ${text}\n`);

function run(command, args, wayOut) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (status === 0) return;
  if (error) say(`${command}: ${error.message}`);
  if (wayOut) say(wayOut);
  process.exit(status ?? 1);
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 17)) return;
  say(`expected Node 20.17 or newer but this is ${process.versions.node}: install a newer Node`);
  process.exit(1);
}

/** Whether node_modules holds every package of the lock file in its version. */
function dependenciesAreCurrent() {
  const installed = path("node_modules", ".package-lock.json");
  if (!existsSync(installed)) return false;
  const packages = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
  const have = packages(installed);
  return Object.entries(packages(path("package-lock.json"))).every(
    ([name, { version, optional }]) => name === "" || optional || have[name]?.version === version,
  );
}

function installDependencies() {
  if (dependenciesAreCurrent()) return;
  say("installing dependencies (npm ci)");
  run(
    "npm",
    ["ci", "--include=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
    "the dependencies could not be installed: check the connection to the npm registry (npm ping)",
  );
}

function sourceHash() {
  const hash = createHash("sha256");
  const files = readdirSync(path("src"), { recursive: true })
    .filter((name) => name.endsWith(".ts"))
    .sort();
  for (const file of ["package-lock.json", "tsconfig.json", ...files.map((name) => join("src", name))])
    hash.update(`${file}\0`).update(readFileSync(path(file)));
  return hash.digest("hex");
}

function compile() {
  const stamp = path("dist", ".stamp");
  const hash = sourceHash();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  say("compiling TypeScript");
  mkdirSync(path("build"), { recursive: true });
  const [fresh, old] = ["new", "old"].map((name) => path("build", `.dist-${name}-${process.pid}`));
  rmSync(fresh, { recursive: true, force: true });
  const tsc = path("node_modules", "typescript-native", "bin", "tsc");
  run(process.execPath, [tsc, "--outDir", fresh], "the types do not check");
  chmodSync(join(fresh, "cli", "main.js"), 0o755);
  writeFileSync(join(fresh, ".stamp"), hash);
  try {
    if (existsSync(path("dist"))) renameSync(path("dist"), old);
    renameSync(fresh, path("dist"));
  } catch (error) {
    // Another bootstrap may have put the same there at this moment.
    if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== hash) throw error;
    rmSync(fresh, { recursive: true, force: true });
  }
  rmSync(old, { recursive: true, force: true });
}

/** Lets `npx smaug` find the checkout's own command, as it does where smaug is installed. */
function linkCommand() {
  const link = path("node_modules", ".bin", "smaug");
  if (existsSync(link)) return;
  rmSync(link, { force: true }); // it may point to nothing
  symlinkSync(join("..", "..", "dist", "cli", "main.js"), link);
}

checkNode();
installDependencies();
compile();
linkCommand();
const args = process.argv.slice(2);
if (args[0] !== "compile") run(process.execPath, [path("dist", "cli", "main.js"), "setup", "--quiet", ...args]);
