/**
 * Checks the sources, all at once: types, format and lint rules, layers and circles, complexity, unused code. Prints
 * what fails and how to fix it. Needs the dependencies, no network and no libtorch.
 *
 *   npm run check
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

const CHECKS = {
  types: {
    command: ["typescript-native/bin/tsc", "-p", "test"],
    wayOut: "see the lines above; `node node_modules/typescript-native/bin/tsc -p test --watch` repeats it",
  },
  "format and lint": {
    command: ["@biomejs/biome/bin/biome", "check", "--error-on-warnings", "--max-diagnostics=50"],
    wayOut: "run `npm run format`, then correct by hand what it leaves; biome.json lists the rules",
  },
  layers: {
    command: ["dependency-cruiser/bin/dependency-cruise.mjs", "src", "--output-type", "err-long"],
    wayOut:
      "import from a lower folder, or move what is shared to one that both may use; " +
      "the order is in .dependency-cruiser.cjs and docs/architecture.md",
  },
  complexity: {
    command: ["../scripts/complexity.mjs"],
    wayOut: "split the function, or look the cases up in a table",
  },
  "unused code": {
    command: ["knip/bin/knip.js", "--no-progress"],
    wayOut: "delete it, or drop its `export`; a program that is started by name belongs in knip.json",
  },
};

async function passes([name, { command, wayOut }]) {
  const [script, ...args] = command;
  const child = spawn(process.execPath, [`node_modules/${script}`, ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const status = await new Promise((resolve) => child.on("close", resolve));
  if (status !== 0) console.error(`${output.trimEnd()}\n\nsmaug: the check of ${name} failed: ${wayOut}\n`);
  return status === 0;
}

if (!existsSync(`${root}node_modules`)) {
  console.error("smaug: the dependencies are missing: run `npm ci`");
  process.exit(1);
}
const results = await Promise.all(Object.entries(CHECKS).map(passes));
if (results.every(Boolean)) console.log(`smaug: checks passed: ${Object.keys(CHECKS).join(", ")}`);
else process.exitCode = 1;
