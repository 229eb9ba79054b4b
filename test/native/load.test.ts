import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../../src/base/package";
import { buildFolder, findAddon } from "../../src/native/addon";
import { attemptLoad, type LoadAttempt } from "../../src/native/load";
import { libraryFiles } from "../../src/native/setup/locate";
import { fakeLibtorch, linkedLibtorch, packageFolder, prebuiltFile, realLibtorch, temporaryFolder, writeTree } from "./fixtures";

const real = realLibtorch();
const addonName = `torch-${real.minor}`;

/** The problem a load ended with. */
function problemOf({ binding, checks }: LoadAttempt) {
  expect(binding).toBeUndefined();
  const problem = checks.at(-1)!;
  expect(problem.status).toBe("problem");
  expect(problem.fix).toBeTruthy();
  return problem;
}

const withReal = { LIBTORCH: real.folder };

describe("a libtorch that does not fit", () => {
  const load = (folder: string) => problemOf(attemptLoad({ LIBTORCH: folder }));

  test("a missing folder is named, with the way out", () => {
    expect(load("/nowhere/libtorch")).toMatchObject({
      name: "libtorch",
      found: "LIBTORCH: /nowhere/libtorch: no such folder",
      expected: "libtorch 2.11 to 2.14",
      fix: expect.stringContaining("unset LIBTORCH; npx smaug setup"),
    });
  });

  test("an empty folder", () => {
    expect(load(temporaryFolder()).found).toContain("no lib/libtorch_cpu.so in it");
  });

  test("a wrong version", () => {
    const folder = fakeLibtorch("1.13.1", { "version.py": "__version__ = '1.13.1'\n" });
    expect(load(folder).found).toBe(`LIBTORCH: ${folder}: libtorch 1.13.1`);
  });

  test("none at all", () => {
    const attempt = attemptLoad({ XDG_CACHE_HOME: temporaryFolder() });
    expect(problemOf(attempt)).toMatchObject({ found: "none", fix: "npx smaug setup" });
  });

  test("a library that was cut short does not end the process", () => {
    const folder = linkedLibtorch(real.version);
    const file = join(folder, "lib/libc10.so");
    rmSync(file);
    copyFileSync(join(real.libraries, "libc10.so"), file);
    truncateSync(file, 100_000);
    const problem = load(folder);
    expect(problem.name).toBe("libraries");
    expect(problem.found).toMatch(/libc10\.so: cut short: 100000 of \d+ bytes/);
  });

  test("a library that is something else", () => {
    const folder = linkedLibtorch(real.version);
    rmSync(join(folder, "lib/libc10.so"));
    writeTree(folder, { "lib/libc10.so": "a pointer to a file kept elsewhere\n".repeat(4) });
    expect(load(folder).found).toContain("libc10.so: not a shared library");
  });

  test.each<[string, (file: string) => void, string]>([
    ["a FIFO", (file) => execFileSync("mkfifo", [file]), "not a regular file"],
    ["a device", (file) => symlinkSync("/dev/zero", file), "not a regular file"],
    ["a folder", (file) => mkdirSync(file), "not a regular file"],
    ["a header with offsets beyond all bounds", (file) => writeFileSync(file, hugeOffsets()), "cut short"],
    ["an executable", (file) => copyFileSync(process.execPath, file), "not a shared library"],
  ])("a library that is %s is not opened", (_, make, reason) => {
    const folder = linkedLibtorch(real.version);
    const file = join(folder, "lib/libc10.so");
    rmSync(file);
    make(file);
    expect(load(folder).found).toMatch(`libc10.so: ${reason}`);
  });

  /** The header of a shared library whose program headers are at 2^63. */
  function hugeOffsets(): Buffer {
    const bytes = readFileSync(join(real.libraries, "libc10.so")).subarray(0, 4096);
    bytes.writeBigUInt64LE(2n ** 63n, 32);
    return bytes;
  }

  test("a fetched library of another size than was unpacked is named", () => {
    const folder = linkedLibtorch(real.version);
    const libraries = Object.fromEntries(
      libraryFiles({ libraries: join(folder, "lib") }).map((file) => [
        `lib/${basename(file)}`,
        { bytes: statSync(file).size, modified: 0, sha256: "0".repeat(64) },
      ]),
    );
    writeTree(folder, { "smaug-fetched.json": JSON.stringify({ archive: "", sha256: "", libraries }) });
    expect(attemptLoad({ LIBTORCH: folder }).binding).toBeDefined();
    libraries["lib/libc10.so"]!.bytes += 1;
    writeTree(folder, { "smaug-fetched.json": JSON.stringify({ archive: "", sha256: "", libraries }) });
    const { bytes } = libraries["lib/libc10.so"]!;
    expect(load(folder).found).toMatch(new RegExp(`libc10\\.so: expected ${bytes} bytes but received ${bytes - 1}$`));
  });
});

describe("an addon that does not fit", () => {
  test("there is none for this minor", () => {
    const folder = fakeLibtorch("2.12.0");
    expect(problemOf(attemptLoad({ LIBTORCH: folder }, packageFolder()))).toMatchObject({
      name: "addon",
      found: "build/torch-2.12: not there; prebuilds/linux-x64/torch-2.12: not there",
      fix: "npx smaug setup",
    });
  });

  test.each([10, 1_000, 100_000])("a prebuilt addon cut to %i bytes is named", (bytes) => {
    const root = packageFolder();
    truncateSync(prebuiltFile(root, addonName), bytes);
    expect(problemOf(attemptLoad(withReal, root)).found).toMatch(/smaug\.napi\.glibc\.node: cut short: \d+/);
  });

  test("a prebuilt loader that was cut short is named", () => {
    const root = packageFolder();
    truncateSync(prebuiltFile(root, "loader"), 20_000);
    expect(problemOf(attemptLoad(withReal, root)).found).toMatch(/loader\.napi\.glibc\.node: cut short/);
  });

  test("one built for another minor is refused, not used", () => {
    const other = real.minor === "2.12" ? "2.14" : "2.12";
    const root = packageFolder();
    writeTree(root, {
      [`build/torch-${other}/build/Release/smaug.node`]: readFileSync(prebuiltFile(root, addonName)),
    });
    const attempt = attemptLoad({ LIBTORCH: linkedLibtorch(`${other}.0`) }, root);
    expect(problemOf(attempt)).toMatchObject({
      found: expect.stringContaining(`for libtorch ${real.minor}.`),
      expected: `one for libtorch ${other}`,
      fix: "npx smaug setup --build",
    });
  });

  /** Puts other bytes of the same length in place of the first match in the prebuilt addon. */
  function patched(from: RegExp, to: (match: string) => string): string {
    const root = packageFolder();
    const file = prebuiltFile(root, addonName);
    const text = readFileSync(file, "latin1");
    expect(text).toMatch(from);
    writeFileSync(file, text.replace(from, to), "latin1");
    return root;
  }

  test("one that wants a symbol libtorch does not have", () => {
    const root = patched(/\0_ZN2at[0-9]+_ops/, (symbol) => symbol.replace("at", "zz"));
    expect(problemOf(attemptLoad(withReal, root)).found).toContain("undefined symbol: _ZN2zz");
  });

  test("one that wants a newer glibc is to be built here", () => {
    const root = patched(/GLIBC_2\.\d\d\0/, () => "GLIBC_2.99\0");
    expect(problemOf(attemptLoad(withReal, root))).toMatchObject({
      found: expect.stringContaining("`GLIBC_2.99' not found"),
      fix: "npx smaug setup --build",
    });
  });

  test("a local build wins, and gives way when it is broken", () => {
    const root = packageFolder();
    const local = join(buildFolder(root, addonName), "build/Release/smaug.node");
    writeTree(root, { [`build/${addonName}/build/Release/smaug.node`]: readFileSync(prebuiltFile(root, addonName)) });
    const ours = { folder: buildFolder(root, addonName), file: local };
    expect(findAddon(root, addonName)).toEqual({ addon: ours, passedOver: [] });
    truncateSync(local, 5_000);
    const { addon, passedOver } = findAddon(root, addonName);
    expect(addon!.file).toBe(prebuiltFile(root, addonName));
    expect(passedOver).toEqual([expect.stringMatching(/^build.*smaug\.node: cut short: 5000 of \d+ bytes$/)]);
  });
});

describe("loading for real", () => {
  const binding = join(packageRoot, "dist", "native", "binding.js");
  const node = (script: string, env: NodeJS.ProcessEnv = {}) =>
    spawnSync(process.execPath, ["-e", script], { encoding: "utf8", env: { ...process.env, ...env } });

  test("the error is a NativeLoadError with the whole table, and the process goes on", () => {
    const script = `try { require(${JSON.stringify(binding)}).binding.versions() } catch (error) { console.log(error.name, error.message) }
      console.log("still here")`;
    const { stdout, stderr, status } = node(script, { LIBTORCH: "/nowhere" });
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(stdout).toMatch(/^NativeLoadError libtorch could not be loaded\n/);
    expect(stdout).toMatch(/^ok {2}Node .*\nok {2}platform .*\n!! {2}libtorch .*\/nowhere: no such folder/m);
    expect(stdout).toMatch(/still here\n$/);
  });

  test("twice in one process gives the same addon, and a failed load can be followed by a good one", () => {
    const script = `const file = ${JSON.stringify(binding)}; const good = process.env.LIBTORCH;
      process.env.LIBTORCH = "/nowhere"; try { require(file).binding.versions(); process.exit(1); } catch {}
      process.env.LIBTORCH = good; const first = require(file).binding;
      first.versions();
      delete require.cache[file]; const second = require(file).binding;
      console.log(first !== undefined, first.versions().compiled === second.versions().compiled)`;
    expect(node(script, withReal)).toMatchObject({ stdout: "true true\n", status: 0 });
  });

  test("worker threads load it for themselves, at once and after one another", () => {
    const inWorker = `const { binding } = require(${JSON.stringify(binding)});
      const x = binding.call(binding.findOperator("aten::ones"), [2, 3]);
      const sum = binding.item(binding.call(binding.findOperator("aten::sum"), x));
      require("node:worker_threads").parentPort.postMessage(sum)`;
    const script = `const { Worker } = require("node:worker_threads");
      const work = () => new Promise((done, fail) =>
        new Worker(${JSON.stringify(inWorker)}, { eval: true }).on("message", done).on("error", fail));
      Promise.all([work(), work()]).then(async (both) => console.log(...both, await work()))`;
    expect(node(script, withReal)).toMatchObject({ stdout: "6 6 6\n", stderr: "", status: 0 });
  });
});
