import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { prebuildFolder, stampFile } from "../../src/native/addon";
import { fetchLibtorch } from "../../src/native/setup/fetch";
import { locate } from "../../src/native/setup/locate";
import { setup } from "../../src/native/setup/setup";
import { library, libtorchEntries, sha256, zip } from "./archives";
import {
  crashingLibtorch,
  fakeLibtorch,
  packageFolder,
  prebuiltFile,
  programs,
  realLibtorch,
  temporaryFolder,
  writeTree,
} from "./fixtures";

const real = realLibtorch();
const addonName = `torch-${real.minor}`;

let lines: string[];
const progress = { line: (text: string) => lines.push(text), share: () => {} };
beforeEach(() => {
  lines = [];
});

describe("choosing an addon", () => {
  test("a prebuilt one that fits is taken, and remembered with its libtorch", async () => {
    const root = packageFolder();
    const env = { XDG_CACHE_HOME: temporaryFolder(), LIBTORCH: real.folder, PATH: programs() };
    await setup({ env, root, progress });
    expect(lines).toEqual([`libtorch ${real.version} in ${real.folder} (LIBTORCH)`]);
    expect(locate({ env: { ...env, LIBTORCH: "" }, system: [] }).libtorch?.folder).toBe(real.folder);
    expect(existsSync(join(root, "build"))).toBe(false);

    lines = [];
    const again = await setup({ env: { ...env, LIBTORCH: "" }, root, progress });
    expect(again).toMatchObject({ folder: real.folder, source: "chosen by setup" });
    expect(lines).toEqual([]);
  });

  test.each([
    ["made from other sources", (root: string) => writeFileSync(stampFile(prebuildFolder(root, addonName)), "0")],
    [
      "not the file of its stamp",
      (root: string) => appendFileSync(stampFile(prebuildFolder(root, addonName)), ` ${"0".repeat(64)}`),
    ],
    ["broken", (root: string) => writeFileSync(prebuiltFile(root, addonName), "")],
  ])("one that is %s is not: without a compiler, setup says what to install", async (_, spoil) => {
    const root = packageFolder();
    spoil(root);
    const env = { XDG_CACHE_HOME: temporaryFolder(), LIBTORCH: real.folder, PATH: programs() };
    const failure = setup({ env, root, progress });
    await expect(failure).rejects.toThrow(/^the addon cannot be built here\n/);
    await expect(failure).rejects.toThrow(/!! {2}compiler +none +g\+\+ or clang\+\+ for C\+\+20\n.*-> .*install/);
    expect(existsSync(join(env.XDG_CACHE_HOME, "smaug"))).toBe(false);
  });

  test("a build that fails shows the end of its log and leaves nothing half-built", async () => {
    const root = packageFolder();
    const answers = 'echo "$0 version 13.0.0"';
    const cmake = `case "$1" in --version) echo "cmake version 3.25.1";; *) echo "boom: no disk"; exit 1;; esac`;
    const env = {
      XDG_CACHE_HOME: temporaryFolder(),
      LIBTORCH: real.folder,
      PATH: programs({ "g++": answers, cmake, ninja: answers }),
    };
    const failure = setup({ env, root, progress, build: true });
    await expect(failure).rejects.toThrow(/could not be built\n[^]*boom: no disk[^]*torch-.*\.log/);
    expect(readdirSync(join(root, "build"))).toEqual([`${addonName}.log`]);

    // A FIFO in the log's place would wait for a reader.
    const log = join(root, "build", `${addonName}.log`);
    rmSync(log);
    execFileSync("mkfifo", [log]);
    await expect(setup({ env, root, progress, build: true })).rejects.toThrow(/could not be built\n[^]*boom: no disk/);
  });

  test("a build folder that cannot be written is named, with the way out", async () => {
    const root = writeTree(packageFolder(), { build: "a file" });
    const answers = 'echo "$0 version 13.0.0"';
    const PATH = programs({ "g++": answers, cmake: 'echo "cmake version 3.25.1"', ninja: answers });
    const failure = setup({
      env: { XDG_CACHE_HOME: temporaryFolder(), LIBTORCH: real.folder, PATH },
      root,
      progress,
      build: true,
    });
    await expect(failure).rejects.toThrow(/^the addon cannot be built\n.*E(EXIST|NOTDIR).*\n {2}-> let .*build be a folder/);
  });

  test("a libtorch that ends the process that opens it ends setup with an error", async () => {
    const env = { XDG_CACHE_HOME: temporaryFolder(), LIBTORCH: crashingLibtorch(), PATH: programs() };
    const failure = setup({ env, root: packageFolder(), progress });
    await expect(failure).rejects.toThrow(/^libtorch could not be loaded\n[^]*opening them ended the process: SIG/);
    expect(existsSync(join(env.XDG_CACHE_HOME, "smaug"))).toBe(false);
  });

  test("a libtorch without headers cannot be built for", async () => {
    const env = { XDG_CACHE_HOME: temporaryFolder(), PATH: process.env.PATH };
    const options = { env, root: packageFolder(), progress, libtorch: fakeLibtorch("2.12.0") };
    await expect(setup(options)).rejects.toThrow(/has no include\/ATen\/ATen\.h\n {2}-> .*npx smaug setup --fetch/);
  });
});

describe("choosing a libtorch", () => {
  test.each([
    ["a missing folder", () => "/nowhere", "no such folder"],
    ["a wrong version", () => fakeLibtorch("1.13.1"), "libtorch 1.13.1"],
  ])("%s under LIBTORCH or --libtorch stops setup", async (_, make, reason) => {
    const folder = make();
    const env = { XDG_CACHE_HOME: temporaryFolder(), PATH: programs() };
    const expected = (source: string) => `expected libtorch 2.11 to 2.14\n  ${source}: ${folder}: ${reason}\n`;
    await expect(setup({ env, progress, libtorch: folder })).rejects.toThrow(expected("--libtorch"));
    await expect(setup({ env: { ...env, LIBTORCH: folder }, progress })).rejects.toThrow(expected("LIBTORCH"));
  });

  test("Python's torch is asked for, and taken when it fits", async () => {
    const root = packageFolder();
    const env = { XDG_CACHE_HOME: temporaryFolder(), PATH: programs({ python3: `echo ${real.folder}` }) };
    expect(await setup({ env, root, progress })).toMatchObject({ folder: real.folder, source: "Python's torch" });
  });

  test("a fetched one that was damaged is fetched again", async () => {
    const archive = zip(libtorchEntries("torch"));
    const name = "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl";
    const from = {
      archive: { url: "http://127.0.0.1:1/libtorch.zip", bytes: 1, sha256: "" },
      wheels: { [name]: sha256(archive) },
    };
    const wheel = join(writeTree(temporaryFolder(), { wheel: archive }), "wheel");
    const pip = `while [ "$1" != --dest ]; do shift; done; /bin/cp ${wheel} "$2/${name}"`;
    const env = { XDG_CACHE_HOME: temporaryFolder(), PATH: programs({ python3: pip }) };
    const folder = await fetchLibtorch({ env, progress, ...from });
    writeTree(env.XDG_CACHE_HOME, { "smaug/libtorch.json": JSON.stringify({ folder }) });
    const file = join(folder, "lib/libtorch_cpu.so");
    const bytes = readFileSync(file);
    bytes[1_000]! ^= 1;
    writeFileSync(file, bytes);
    lines = [];
    expect(await setup({ env, root: packageFolder(), progress, from })).toMatchObject({ folder, source: "fetched" });
    expect(lines[0]).toMatch(
      /^passed over chosen by setup: .*libtorch_cpu\.so: expected SHA-256 [0-9a-f]{64} but received [0-9a-f]{64}$/,
    );
    expect(readFileSync(file).equals(library)).toBe(true);
  });

  test("a cache folder that cannot be written is named", async () => {
    const file = join(writeTree(temporaryFolder(), { file: "" }), "file");
    const env = { XDG_CACHE_HOME: file, LIBTORCH: real.folder, PATH: programs() };
    const failure = setup({ env, root: packageFolder(), progress });
    await expect(failure).rejects.toThrow(/could not be kept\n[^]*XDG_CACHE_HOME/);
  });
});
