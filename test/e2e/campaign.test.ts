/** That a campaign finds faults, blames the right input, and leaves nothing behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

interface Fault {
  type: string;
  text: string;
  batch?: number[];
}
type Row = Record<"inputs" | "crashes" | "hangs" | "memory" | "unclear" | "wrong", number>;
interface Kind {
  name: string;
}
interface Campaign {
  campaign(kinds: Kind[], options: object): Promise<void>;
}
interface Judge {
  judgeCommand(outcome: object, options?: object): Fault | undefined;
  unclear(message: string, names?: string[]): string | undefined;
}
interface Tally {
  clean: boolean;
  saved: string[];
  table(): string;
  toJSON(): { kinds: Record<string, Row> };
}

const scripts = (name: string) => new URL(`../../scripts/campaign/${name}`, import.meta.url).href;
const load = async <T>(name: string): Promise<T> => (await import(/* @vite-ignore */ scripts(name))) as T;
const program = fileURLToPath(new URL("../../scripts/campaign.mjs", import.meta.url));
const planted = fileURLToPath(new URL("programs/planted.mjs", import.meta.url));

let root: string;
beforeAll(() => void (root = mkdtempSync(join(tmpdir(), "smaug-campaign-test-"))));
afterAll(() => rmSync(root, { recursive: true }));

const limits = { seconds: 0.6, bytes: 250 * 2 ** 20 };

test("a campaign counts each planted fault under the input that has it", async () => {
  const { inProcess } = await load<{ inProcess(module: string): Promise<Kind> }>("kinds.mjs");
  const { campaign } = await load<Campaign>("campaign.mjs");
  const { Tally } = await load<{ Tally: new (kinds: Kind[], options: object) => Tally }>("tally.mjs");
  const kind = await inProcess(planted);
  const folder = join(root, "faults");
  const tally = new Tally([kind], { folder, seed: 4 });
  const inputs = Array.from({ length: 30 }, (_, i) => i);
  await campaign([kind], { minutes: 1, seed: 4, tally, root, limits, inputs });

  // 1 crashes, 13 rejects late, 23 dies only after 21; 9 is no InputError, 17 names no file, 19 and 25 speak raw.
  expect(tally.toJSON().kinds["planted"]).toEqual({
    inputs: 30,
    crashes: 3,
    hangs: 1,
    memory: 1,
    unclear: 4,
    wrong: 1,
  });
  expect(tally.clean).toBe(false);
  const saved = tally.saved.map((path) => path.split("/").at(-1)).sort();
  expect(saved).toEqual(
    [
      "crashes-1",
      "crashes-13",
      "crashes-23",
      "hangs-5",
      "memory-7",
      "unclear-17",
      "unclear-19",
      "unclear-25",
      "unclear-9",
      "wrong-11",
    ].map((name) => `planted-${name}`),
  );
  const how = (name: string) => readFileSync(join(folder, `planted-${name}`, "how.txt"), "utf8");
  expect(how("crashes-1")).toContain("SIGSEGV");
  expect(how("crashes-1")).toContain("npm run campaign -- --kinds planted --seed 4 --input 1\n");
  expect(how("crashes-13")).toContain("nobody waits for this");
  expect(how("crashes-23")).toContain("--input 21-23\n");
  expect(tally.table()).toMatch(/^planted +30 +3 +1 +1 +4 +1$/m);
  expect(readdirSync(root)).toEqual(["faults"]);
}, 30_000);

test("an input is the same whenever it is made, and another seed makes others", async () => {
  const { Random } = await load<{ Random: new (...path: unknown[]) => { integer(low: number, high: number): number } }>(
    "random.mjs",
  );
  const draw = (...path: unknown[]) => new Random(...path).integer(0, 1e9);
  expect(draw(1, "gguf", 7)).toBe(draw(1, "gguf", 7));
  expect(new Set([draw(1, "gguf", 7), draw(2, "gguf", 7), draw(1, "gguf", 8), draw(1, "json", 7)]).size).toBe(4);
});

test("the end of a command is judged by its exit code, its message and its output", async () => {
  const { judgeCommand, unclear } = await load<Judge>("judge.mjs");
  const outcome = {
    code: 2,
    signal: null,
    reason: "exited",
    stdout: "",
    stderr: "error: Expected JSON in a/config.json but received: x\n",
  };
  const type = (changes: object, options?: object) =>
    judgeCommand({ ...outcome, ...changes }, { names: ["config.json"], ...options })?.type;
  expect(type({})).toBeUndefined();
  expect(type({ code: 0, stderr: "" })).toBeUndefined();
  expect(type({ code: null, signal: "SIGABRT" })).toBe("crash");
  expect(type({ code: 134 })).toBe("crash");
  expect(type({ code: 1 })).toBe("unclear"); // bad input is 2
  expect(type({ code: 1 }, { codes: [0, 1] })).toBeUndefined();
  expect(type({ stderr: "" })).toBe("unclear");
  expect(type({ stderr: "error: Expected JSON\n" })).toBe("unclear"); // which file?
  expect(type({ stderr: `${outcome.stderr}    at readFile (node:fs:12:3)\n` })).toBe("unclear");
  expect(type({ stdout: "\u001b[2J" })).toBe("unclear");
  expect(type({ reason: "hang", seconds: 10 })).toBe("hang");
  expect(type({ reason: "memory", peak: 2 ** 31 })).toBe("memory");
  for (const raw of [
    "x is not iterable",
    "received [object Object]",
    "ENOENT: no such file",
    "received undefined",
    "Maximum call stack size exceeded",
  ])
    expect(unclear(raw), raw).toBeDefined();
  expect(unclear("Expected a file at x but there is none (ENOENT)")).toBeUndefined();
});

const ended = (child: ChildProcess) =>
  new Promise<{ code: number | null; stdout: string }>((resolve) => {
    let stdout = "";
    child.stdout!.on("data", (text) => (stdout += text));
    child.once("close", (code) => resolve({ code, stdout }));
  });

function start(...args: string[]): { child: ChildProcess; place: string } {
  const place = mkdtempSync(join(root, "run-"));
  const child = spawn(process.execPath, [program, ...args, "--out", join(place, "faults")], {
    env: { ...process.env, TMPDIR: place },
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { child, place };
}

test("real inputs run, and only the faults remain", async () => {
  const { child, place } = start("--minutes", "0.01", "--seed", "1", "--kinds", "settings", "--json");
  const { code, stdout } = await ended(child);
  const { kinds, seed, saved, broken } = JSON.parse(stdout) as {
    kinds: Record<string, Row>;
    seed: number;
    saved: string[];
    broken: object;
  };
  expect(seed).toBe(1);
  expect(kinds["settings"]!.inputs).toBeGreaterThan(20);
  expect({ code, saved, broken }).toEqual({ code: 0, saved: [], broken: {} });
  expect(readdirSync(place)).toEqual(["faults"]);
}, 30_000);

test("Ctrl-C ends a campaign with its table, without a process or a folder left", async () => {
  const { child, place } = start("--minutes", "5", "--seed", "1", "--kinds", "kills,full disks");
  const temporary = () => readdirSync(place).find((name) => name.startsWith("smaug-campaign-"));
  const isUnderWay = () =>
    temporary() !== undefined && readdirSync(join(place, temporary()!)).some((name) => name.startsWith("scenario-"));
  while (!isUnderWay() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 50));
  const end = ended(child);
  child.kill("SIGINT");
  const { code, stdout } = await end;
  expect(code).toBe(130);
  expect(stdout).toMatch(/^kills +\d/m);
  expect(readdirSync(place)).toEqual(["faults"]);
  const using = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && commandOf(name).includes(place));
  expect(using.map(commandOf)).toEqual([]);
}, 30_000);

function commandOf(pid: string): string {
  const file = `/proc/${pid}/cmdline`;
  try {
    return existsSync(file) ? readFileSync(file, "latin1").replaceAll("\0", " ") : "";
  } catch {
    return ""; // it has ended
  }
}
