import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { LockFile } from "../../src/base/files/lockFile";
import { thisProcess } from "../../src/base/processes";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "smaug-"));
  path = join(folder, ".smaug.lock");
});
afterEach(() => rmSync(folder, { recursive: true }));

const holderOf = (found: ReturnType<typeof LockFile.acquire>) => (found instanceof LockFile ? undefined : found);

test("a held lock names its holder; a released one is free and leaves nothing", () => {
  const lock = LockFile.acquire(path) as LockFile;
  expect(holderOf(LockFile.acquire(path))).toMatchObject({ state: "running", holder: { pid: process.pid, host: hostname() } });
  lock.release();
  lock.release();
  expect(readdirSync(folder)).toEqual([]);
});

test("a lock is stale when its process is gone, and when its pid belongs to another process now", () => {
  const { pid } = spawnSync(process.execPath, ["-e", ""]);
  for (const stale of [
    { ...thisProcess(), pid },
    { ...thisProcess(), started: 1 },
  ]) {
    writeFileSync(path, JSON.stringify({ ...stale, since: 0 }));
    const lock = LockFile.acquire(path) as LockFile;
    expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ ...thisProcess() });
    lock.release();
  }
});

test("a lock of another host is never taken over; a file that is not a lock always is", () => {
  writeFileSync(path, JSON.stringify({ ...thisProcess(), host: "elsewhere", since: 0 }));
  expect(holderOf(LockFile.acquire(path))).toMatchObject({ state: "unknown", holder: { host: "elsewhere" } });
  writeFileSync(path, "");
  expect(LockFile.acquire(path)).toBeInstanceOf(LockFile);
});

test("of several processes that find a stale lock exactly one takes it", async () => {
  writeFileSync(path, JSON.stringify({ ...thisProcess(), started: 1, since: 0 }));
  const program = `
    const { LockFile } = require(${JSON.stringify(join(__dirname, "../../dist/base/files/lockFile.js"))});
    const lock = LockFile.acquire(${JSON.stringify(path)});
    console.log(lock instanceof LockFile ? "mine" : "other");
    setTimeout(() => {}, 1500);`;
  const children = Array.from({ length: 6 }, () =>
    spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] }),
  );
  const said = await Promise.all(
    children.map(async (child) => {
      const [text] = (await once(child.stdout, "data")) as [Buffer];
      return text.toString().trim();
    }),
  );
  for (const child of children) child.kill("SIGKILL");
  expect(said.filter((each) => each === "mine")).toEqual(["mine"]);
});

test.each([
  ["a named pipe", () => spawnSync("mkfifo", [path])],
  ["a folder", () => mkdirSync(path)],
  ["a link", () => symlinkSync("nowhere", path)],
  ["a link", () => symlinkSync("/dev/zero", path)],
  ["a link", () => symlinkSync(".smaug.lock", path)],
])("what is no file in a lock's place is refused and left: %s", (kind, make) => {
  make();
  expect(() => LockFile.acquire(path)).toThrow(
    new InputError(`Expected a lock file at ${path} but received ${kind}. Remove it with\n  rm -r ${path}`),
  );
  expect(readdirSync(folder)).toEqual([".smaug.lock"]);
});

test("a huge file in a lock's place is not read whole", () => {
  writeFileSync(path, "");
  truncateSync(path, 2 ** 40); // sparse
  expect(LockFile.acquire(path)).toBeInstanceOf(LockFile);
});
