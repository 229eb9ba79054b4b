import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  copyFileSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { recordBytes, writeRecord } from "../../src/base/records/format";
import { type RecordEntry, RecordStore } from "../../src/base/records/store";
import { entries, keyOf, valueOf } from "./records";

const root = mkdtempSync(join(tmpdir(), "smaug-records-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const newFolder = () => mkdtempSync(join(root, "store-"));
const open = (folder: string) => RecordStore.open(folder, "test");
const filesOf = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".records"))
    .map((name) => join(folder, name));

/** A folder with records in one closed file. */
async function filled(...stored: (readonly RecordEntry[])[]): Promise<{ folder: string; file: string }> {
  const folder = newFolder();
  const store = await open(folder);
  for (const each of stored) await store.put(each);
  await store.close();
  return { folder, file: filesOf(folder)[0]! };
}

/** Which of some records a store has; each of them must be what was put. */
function found(store: RecordStore, from: number, to: number): number[] {
  const numbers: number[] = [];
  for (let i = from; i < to; i++) {
    const value = store.get(keyOf(i));
    if (value === undefined) continue;
    if (!valueOf(i).equals(value)) expect(value, `value ${i}`).toEqual(valueOf(i)); // slow: only to show a difference
    numbers.push(i);
  }
  return numbers;
}

/** What a newly opened store has, and what it could not use. */
async function reopened(folder: string, to: number): Promise<{ numbers: number[]; problems: string[] }> {
  const store = await open(folder);
  const numbers = found(store, 0, to);
  const problems = store.takeProblems();
  await store.close();
  return { numbers, problems };
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

test("returns what was put, at once and after reopening, aligned for typed arrays", async () => {
  const folder = newFolder();
  const store = await open(folder);
  expect(store.get(keyOf(0))).toBeUndefined();
  await Promise.all([store.put(entries(0, 20)), store.put(entries(20, 3000)), store.put([])]);
  expect(found(store, 0, 3001)).toEqual(upTo(3000));
  expect(upTo(9).map((i) => store.get(keyOf(i))!.byteOffset % 8)).toEqual(upTo(9).map(() => 0));
  await store.close();
  await store.close();
  expect(await reopened(folder, 3001)).toEqual({ numbers: upTo(3000), problems: [] });
  await expect(store.put(entries(0, 1))).rejects.toThrow("closed");
});

test("stores any amount at once, in parts", async () => {
  const large = upTo(5).map((i) => [keyOf(i), Buffer.alloc(12_000_000, i + 1)] as const);
  const { folder } = await filled(large);
  const store = await open(folder);
  for (const [key, value] of large) expect(value.equals(store.get(key)!)).toBe(true);
  await store.close();
});

test("sees at once what another has stored, and keeps what it has open when that is merged", async () => {
  const folder = newFolder();
  const [one, two] = [await open(folder), await open(folder)];
  expect(two.get(keyOf(5))).toBeUndefined();
  await one.put(entries(0, 6));
  expect(found(two, 0, 10)).toEqual(upTo(6));
  await one.put(entries(6, 10));
  expect(found(two, 0, 10)).toEqual(upTo(10));
  await one.close();
  for (let i = 0; i < 20; i++) {
    const store = await open(folder);
    await store.put(entries(10 + i, 11 + i));
    await store.close();
  }
  expect(found(two, 0, 30)).toEqual(upTo(30));
  await two.close();
});

test("a key that shares its first bytes with another one is not found", async () => {
  const { folder } = await filled(entries(0, 1));
  const similar = Buffer.from(keyOf(0));
  similar[31]! ^= 1;
  const store = await open(folder);
  expect(store.get(similar)).toBeUndefined();
  await store.put([[similar, valueOf(7)]]);
  expect(Buffer.from(store.get(similar)!)).toEqual(valueOf(7));
  expect(found(store, 0, 1)).toEqual([0]);
  await store.close();
});

test("opening a closed file reads its table and not its values", async () => {
  const large = (i: number) => [keyOf(i), Buffer.alloc(100_000, i)] as const;
  const { folder, file } = await filled(upTo(100).map(large));
  const bytesRead = () => Number(/rchar: (\d+)/.exec(readFileSync("/proc/self/io", "utf8"))![1]);
  const before = bytesRead();
  const store = await open(folder);
  expect(store.get(large(99)[0])).toHaveLength(100_000);
  expect(bytesRead() - before).toBeLessThan(statSync(file).size / 20);
  await store.close();
});

test("the number of files stays small, and nothing is lost or kept twice as they are merged", async () => {
  const folder = newFolder();
  for (let i = 0; i < 60; i++) {
    const store = await open(folder);
    await store.put(entries(10 * i, 10 * i + 15)); // a third of them is there already, or will be again
    await store.close();
    expect(filesOf(folder).length).toBeLessThan(15);
  }
  expect(await reopened(folder, 610)).toEqual({ numbers: upTo(605), problems: [] });
  const needed = upTo(605).reduce((sum, i) => sum + recordBytes(valueOf(i).length), 0);
  expect(filesOf(folder).reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThan(1.5 * needed);
  expect(readdirSync(folder).filter((name) => !name.endsWith(".records"))).toEqual([]);
});

test("a writer whose file is taken away, or whose folder is removed, loses nothing that it stores afterwards", async () => {
  const folder = newFolder();
  const store = await open(folder);
  await store.put(entries(0, 5));
  const [file] = filesOf(folder) as [string];
  renameSync(file, join(folder, "test-1700000000000-00000000-unclosed.records")); // as a merge does
  await store.put(entries(5, 10));
  expect((await reopened(folder, 10)).numbers).toEqual(upTo(10));
  rmSync(folder, { recursive: true });
  expect(found(store, 0, 11)).toEqual(upTo(10));
  await store.put(entries(0, 3));
  await store.close();
  expect((await reopened(folder, 10)).numbers).toEqual(upTo(3));
});

// Every kind of damage: the store still opens, gives back what was put or nothing, and takes everything again.
type Damage = (bytes: Buffer, at: number, length: number) => Buffer;
const damages: Record<string, Damage> = {
  flip: (bytes, at, length) => ((bytes[at]! ^= 1 << (length % 8)), bytes),
  zero: (bytes, at, length) => bytes.fill(0, at, Math.min(at + length, bytes.length)),
  cut: (bytes, at, length) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]),
  truncate: (bytes, at) => bytes.subarray(0, at),
  insert: (bytes, at, length) => Buffer.concat([bytes.subarray(0, at), Buffer.alloc(length, "garbage "), bytes.subarray(at)]),
  repeat: (bytes, at, length) => Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]),
  append: (bytes, _at, length) => Buffer.concat([bytes, Buffer.alloc(length, 0xd7)]),
  double: (bytes) => Buffer.concat([bytes, bytes]),
};

test("whatever happens to its files, a store returns what was put or nothing, and can be filled again", async () => {
  const closed = readFileSync((await filled(entries(0, 20), entries(20, 30))).file);
  // The same file without its end, as a killed writer leaves it.
  const table = closed.readDoubleLE(closed.length - 16);
  const unclosed = closed.subarray(0, table);
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(
        fc.tuple(
          fc.constantFrom(...Object.keys(damages)),
          fc.double({ min: 0, max: 1, noNaN: true }),
          fc.integer({ min: 1, max: 700 }),
        ),
        { minLength: 1, maxLength: 4 },
      ),
      async (isClosed, done) => {
        const folder = newFolder();
        const bytes = done.reduce<Buffer>(
          (damaged, [name, place, length]) =>
            damages[name]!(damaged, Math.floor(place * Math.max(0, damaged.length - 1)), length),
          Buffer.from(isClosed ? closed : unclosed),
        );
        writeFileSync(join(folder, `test-1700000000000-00000000.records`), bytes);
        const store = await open(folder);
        const numbers = found(store, 0, 40);
        const missing = upTo(40).filter((i) => !numbers.includes(i));
        await store.put(missing.map((i) => [keyOf(i), valueOf(i)] as const));
        expect(found(store, 0, 40)).toEqual(upTo(40));
        await store.close();
        expect((await reopened(folder, 40)).numbers).toEqual(upTo(40));
        rmSync(folder, { recursive: true });
      },
    ),
    { numRuns: 100 },
  );
}, 60_000);

test.each(["closed", "killed"] as const)(
  "a byte that changes anywhere in the file of a %s writer costs one record at most",
  async (how) => {
    const { file } = await filled(entries(1, 9));
    const whole = readFileSync(file);
    const end = whole.readDoubleLE(whole.length - 16);
    const bytes = how === "closed" ? whole : whole.subarray(0, end);
    const starts = [16];
    for (let i = 1; i < 8; i++) starts.push(starts.at(-1)! + recordBytes(valueOf(i).length));
    for (let at = 0; at < bytes.length; at += 23) {
      const folder = newFolder();
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0x10;
      writeFileSync(join(folder, `test-1700000000000-00000000.records`), damaged);
      const hit = at < 16 || at >= end ? undefined : starts.filter((start) => start <= at).length;
      const store = await open(folder);
      expect(found(store, 0, 10), `byte ${at}`).toEqual(upTo(9).filter((i) => i > 0 && i !== hit));
      await store.close();
      rmSync(folder, { recursive: true });
    }
  },
);

test("damage is reported once, with the file's name, and the rest of the file survives it", async () => {
  const { folder, file } = await filled(entries(0, 100));
  const bytes = readFileSync(file);
  bytes.fill(0, 4096, 8192);
  writeFileSync(file, bytes.subarray(0, -5)); // without a trailer, it is walked through
  const first = await reopened(folder, 100);
  expect(first.problems).toEqual([
    expect.stringMatching(/^.*\/test-\d+-[0-9a-f]{8}\.records has \d+ damaged bytes( and 1 damaged value)?$/),
  ]);
  expect(first.problems[0]).toContain(file);
  expect(first.numbers.length).toBeGreaterThan(60);
  expect(first.numbers).toContain(0);
  expect(first.numbers).toContain(99);
  expect(existsSync(file)).toBe(false);
  expect(await reopened(folder, 100)).toEqual({ numbers: first.numbers, problems: [] });
});

test("a damaged value is reported, and a new one takes its place for good", async () => {
  const { folder, file } = await filled(entries(1, 4));
  const bytes = readFileSync(file);
  const at = bytes.indexOf(valueOf(2));
  bytes[at + 5]! ^= 1;
  writeFileSync(file, bytes);
  expect(await reopened(folder, 4)).toEqual({ numbers: [1, 3], problems: [`${file} has 1 damaged value`] });
  const store = await open(folder);
  await store.put(entries(2, 3));
  await store.close();
  expect(await reopened(folder, 4)).toEqual({ numbers: [1, 2, 3], problems: [] });
});

test("half a record at the end of a killed writer's file is not reported", async () => {
  const folder = newFolder();
  const { pid } = await ended([folder, "0", "0", "1"]);
  const { file } = await filled(entries(0, 5));
  const left = join(folder, `test-1700000000000-00000000-${pid}-1-00000000.records`);
  copyFileSync(file, left);
  const end = readFileSync(file).readDoubleLE(statSync(file).size - 16);
  truncateSync(left, end - 3);
  expect(await reopened(folder, 5)).toEqual({ numbers: upTo(4), problems: [] });
});

test("a header that claims more than the file holds does not hide the records after it", async () => {
  const { folder, file } = await filled(entries(0, 5));
  const bytes = readFileSync(file).subarray(0, -20);
  const huge = Buffer.alloc(recordBytes(2 ** 20));
  writeRecord(huge, 0, keyOf(50), Buffer.alloc(2 ** 20)); // its header is intact
  writeFileSync(file, Buffer.concat([bytes.subarray(0, 16), huge.subarray(0, 80), bytes.subarray(16)]));
  expect((await reopened(folder, 60)).numbers).toEqual(upTo(5));
});

test("a file of zeros and one of markers end the search for records soon, in little memory", async () => {
  const folder = newFolder();
  const sparse = openSync(join(folder, "test-1700000000001-00000000.records"), "w");
  ftruncateSync(sparse, 2 ** 30);
  closeSync(sparse);
  writeFileSync(
    join(folder, "test-1700000000002-00000000.records"),
    Buffer.alloc(2_000_000, Buffer.from("d79a8c1bf3e46a05", "hex")),
  );
  const { file } = await filled(entries(0, 5));
  copyFileSync(file, join(folder, "test-1700000000000-00000000.records"));
  const [from, memory] = [performance.now(), process.memoryUsage().rss];
  const { numbers, problems } = await reopened(folder, 5);
  expect(performance.now() - from).toBeLessThan(15_000);
  expect(process.memoryUsage().rss - memory).toBeLessThan(200e6);
  expect(numbers).toEqual(upTo(5));
  expect(problems).toHaveLength(2);
}, 60_000);

test("what is not a regular file is named and left alone; an empty file is ignored", async () => {
  const folder = newFolder();
  const { file } = await filled(entries(0, 5));
  const [fifo, directory, device, text] = [1, 2, 3, 4].map((i) => join(folder, `test-170000000000${i}-00000000.records`)) as [
    string,
    string,
    string,
    string,
  ];
  execFileSync("mkfifo", [fifo]);
  mkdirSync(directory);
  symlinkSync("/dev/zero", device);
  writeFileSync(text, "a letter to somebody\n");
  writeFileSync(join(folder, "test-1700000000005-00000000.records"), "");
  copyFileSync(file, join(folder, "test-1700000000000-00000000.records"));
  execFileSync("mkfifo", [join(folder, "test.lock")]);
  for (const _ of [1, 2]) {
    const { numbers, problems } = await reopened(folder, 6);
    expect(numbers).toEqual(upTo(5));
    expect(problems.sort()).toEqual([
      `${fifo} cannot be used: not a regular file`,
      `${directory} cannot be used: not a regular file`,
      `${device} cannot be used: not a regular file`,
      `${text} has 21 damaged bytes`,
    ]);
  }
  for (let i = 0; i < 15; i++) {
    const store = await open(folder);
    await store.put(entries(5 + i, 6 + i));
    await store.close();
  }
  expect((await reopened(folder, 20)).numbers).toEqual(upTo(20)); // merged, without the lock
  expect(readFileSync(text, "utf8")).toBe("a letter to somebody\n");
});

const register = join(__dirname, "..", "setup", "typescript.cjs");
const program = [process.execPath, "--require", register, join(__dirname, "programs", "recordWriter.ts")] as const;

/** Starts a process that stores records; `kilobytes` limits its files, as a full disk would. */
function start(args: readonly string[], kilobytes?: number) {
  const limit = kilobytes === undefined ? "" : `ulimit -f ${kilobytes}; `;
  const child = spawn("bash", ["-c", `${limit}exec "$@"`, "bash", ...program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const lines: string[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => lines.push(...text.trim().split("\n")));
  return { child, lines, ended: once(child, "close") };
}

async function ended(args: readonly string[], kilobytes?: number) {
  const { child, lines, ended } = start(args, kilobytes);
  await ended;
  return { pid: child.pid!, lines };
}

test("writers that are killed at any moment leave everything that was stored, for each other and for a reader meanwhile", async () => {
  const folder = newFolder();
  const reader = await open(folder);
  const stored = new Set<number>();
  for (let round = 0; round < 3; round++) {
    // Two write the same records, a third one others.
    const writers = [0, 0, 5000].map((from) => ({ from, ...start([folder, String(from), String(from + 5000), "7"]) }));
    await Promise.all(writers.map(({ child }) => once(child.stdout, "data")));
    for (const { child, ended } of writers) {
      await new Promise((resolve) => setTimeout(resolve, 40 + 60 * Math.random()));
      found(reader, 0, 200);
      child.kill("SIGKILL");
      await ended;
    }
    for (const { from, lines } of writers) for (let i = from; i < Number(lines.at(-1)); i++) stored.add(i);
    const last = Math.max(...stored) + 50;
    const { numbers, problems } = await reopened(folder, last);
    expect(problems).toEqual([]);
    const missing = [...stored].filter((i) => !new Set(numbers).has(i));
    expect(missing).toEqual([]);
    expect(found(reader, 0, last)).toEqual(numbers);
  }
  await reader.close();
  for (let i = 0; i < 3; i++) await reopened(folder, 1); // merges what is left
  expect(filesOf(folder).length).toBeLessThan(15);
}, 60_000);

test("on a full disk storing fails, leaves no half record, and what was stored before is there", async () => {
  const folder = newFolder();
  const { lines } = await ended([folder, "0", "2000", "600"], 256); // batches of 160 KB, files of 256 KB
  expect(lines.at(-1)).toBe("EFBIG");
  const stored = Number(lines.at(-2));
  expect(stored).toBeGreaterThan(0);
  expect(await reopened(folder, 2000)).toEqual({ numbers: upTo(stored), problems: [] });
  // Another process continues.
  expect((await ended([folder, String(stored), "1000", "50"])).lines.at(-1)).toBe("1000");
  expect(await reopened(folder, 2000)).toEqual({ numbers: upTo(1000), problems: [] });
});
