/** Standard streams that are closed, full or not read: the command ends as it should, with its files complete. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = mkdtempSync(join(tmpdir(), "smaug-streams-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let count = 0;

const register = join(__dirname, "..", "setup", "typescript.cjs");
const program = join(__dirname, "programs", "streams.ts");

/** Runs `script` in a shell in which $RUN is the command, $D a folder; DONE is in it. */
async function shell(name: string, script: string, { lines = 3, bytes = 10, flags = "" } = {}) {
  const folder = join(root, `run-${++count}`);
  const RUN = `${process.execPath} --require ${register} ${program} ${name} ${folder}/done ${lines} ${bytes} ${flags}`;
  const child = spawn("bash", ["-c", `mkdir ${folder}; ${script}`], {
    env: { ...process.env, RUN, D: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) child[stream].on("data", (text) => (printed[stream] += String(text)));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const read = (file: string) => (existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8") : "");
  return { code, ...printed, isDone: existsSync(join(folder, "done")), read };
}

beforeAll(() => shell("train", "$RUN")); // compiles the program, which some of the tests leave no room for

const full = "ENOSPC: no space left on device, write";

test.concurrent("a log whose reader is gone does not end the command", async () => {
  const { read, isDone } = await shell("train", "{ $RUN 2>&1 >$D/out; echo $? >$D/rc; } | head -1 >/dev/null", { lines: 5000 });
  expect([read("rc"), isDone]).toEqual(["0\n", true]);
  expect(read("out")).toMatch(/^r{10}\nnote: \d+ lines of the log were lost: standard error could not be written \(.*EPIPE\)\n$/);
});

test.concurrent.each([
  ["train", "", `rrrrrrrrrr\nnote: 3 lines of the log were lost: standard error could not be written (${full})\n`],
  ["train", "--json", "rrrrrrrrrr\n"],
  ["generate", "", "rrrrrrrrrr\n"],
])("a log on a full disk does not end `%s %s`, and only a result for people gets a note", async (name, flags, stdout) => {
  expect(await shell(name, "$RUN 2>/dev/full", { flags })).toMatchObject({ code: 0, isDone: true, stdout });
});

test.concurrent("a log that reaches its size limit keeps what there was room for", async () => {
  const { code, isDone, read } = await shell("train", "ulimit -f 1; $RUN 2>$D/log", { lines: 20 });
  expect([code, isDone, read("log").length]).toEqual([0, true, 1024]);
});

test.concurrent("a log that can be written again says what is missing", async () => {
  const lift = "while [ ! -e $D/done ]; do sleep 0.02; done; prlimit --pid $! --fsize=unlimited; touch $D/go; wait $!";
  const { code, stdout, read } = await shell("train", `ulimit -S -f 1; $RUN --again $D/go 2>$D/log & ${lift}`, { lines: 20 });
  expect([code, stdout]).toEqual([0, "rrrrrrrrrr\n"]);
  // 1024 bytes had room for ten lines of 100 and the beginning of the next.
  expect(read("log").slice(1000)).toBe(
    `line ${"0".repeat(19)}\nnote: 10 lines of the log were lost: standard error could not be written (EFBIG: file too large, write)\nagain\n`,
  );
});

test.concurrent("a log that can be written again at once, before the stream has reported the failure, says the same", async () => {
  const isStopped = "grep -q 'State:.T' /proc/$!/status";
  const lift = `until ${isStopped}; do sleep 0.02; done; prlimit --pid $! --fsize=unlimited; kill -CONT $!; wait $!`;
  const stopped = "ulimit -S -f 1; touch $D/go; $RUN --again $D/go --stop 2>$D/log & ";
  const { code, read } = await shell("train", stopped + lift, { lines: 20 });
  expect(code).toBe(0);
  expect(read("log")).toContain(
    "note: 10 lines of the log were lost: standard error could not be written (EFBIG: file too large, write)\nagain\n",
  );
});

test.concurrent("closed descriptors are no error", async () => {
  expect(await shell("train", "$RUN <&- >&- 2>&-")).toMatchObject({ code: 0, isDone: true });
});

test.concurrent("a result that cannot be printed is an error without a stack, a summary of files a warning", async () => {
  expect(await shell("generate", "$RUN >/dev/full", { lines: 0 })).toMatchObject({
    code: 1,
    stderr: `error: Expected to write the result to standard output but received: ${full}\n`,
  });
  expect(await shell("train", "$RUN >/dev/full", { lines: 0 })).toMatchObject({
    code: 0,
    stderr: `warning: standard output cannot be written (${full}); the results are in the files\n`,
  });
});

test.concurrent.each(["generate", "pipeline"])("a result that fits only in part is an error: %s", async (name) => {
  const { code, stderr, read } = await shell(name, "ulimit -f 1; $RUN >$D/out", { lines: 0, bytes: 3000 });
  expect([code, stderr]).toEqual([
    1,
    "error: Expected to write the result to standard output but received: EFBIG: file too large, write\n",
  ]);
  expect(read("out").length).toBe(1024);
});

test.concurrent.each(["generate", "pipeline"])("a reader that stops early ends the command quietly: %s", async (name) => {
  const { stdout, stderr } = await shell(name, "{ $RUN; echo $? >&2; } | head -c 1", { lines: 0, bytes: 1e6 });
  expect([stdout, stderr]).toEqual(["r", "0\n"]);
});

test.concurrent("a result waits for a slow reader", async () => {
  expect((await shell("pipeline", "$RUN | { sleep 0.7; wc -c; }", { lines: 0, bytes: 3e6 })).stdout.trim()).toBe("3000001");
});

test.concurrent("a log that is not read does not block the command; what was dropped is counted once it is read", async () => {
  const done = join(root, "slow-done");
  const child = spawn(process.execPath, ["--require", register, program, "train", done, "30000", "1"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  while (!existsSync(done)) await setTimeout(10); // 3 MB were logged, and nothing was read
  let log = "";
  child.stderr.on("data", (text) => (log += String(text)));
  expect(await new Promise((resolve) => child.once("close", resolve))).toBe(0);
  const lost = Number(/\nnote: (\d+) lines of the log were lost: standard error was not read in time\n$/.exec(log)![1]);
  expect(log.match(/^line \d{94}$/gm)!.length + lost).toBe(30_000);
  expect(lost).toBeGreaterThan(10_000);
});

test.concurrent("a command ends although its log is never read", async () => {
  const { read, isDone } = await shell(
    "train",
    "{ $RUN 2>&1 >$D/out; echo $? >$D/rc; } | { while [ ! -e $D/rc ]; do sleep 0.05; done; }",
    { lines: 3000 },
  );
  expect([read("rc"), isDone]).toEqual(["0\n", true]);
});

test.concurrent("a terminal that is stopped does not block the command, and one that is closed does not abort it", async () => {
  const folder = join(root, "terminal");
  const command = `trap '' HUP; ${process.execPath} --require ${register} ${program} train ${folder}.done 2000 10; echo $? >${folder}.rc`;
  writeFileSync(`${folder}.sh`, command);
  // Output of `script` goes to a pipe that nobody reads: the terminal fills up.
  const terminal = spawn("script", ["-qc", `bash ${folder}.sh`, "/dev/null"], { stdio: ["pipe", "pipe", "ignore"] });
  while (!existsSync(`${folder}.done`)) await setTimeout(10);
  terminal.kill("SIGKILL");
  while (!existsSync(`${folder}.rc`) || statSync(`${folder}.rc`).size === 0) await setTimeout(10);
  expect(readFileSync(`${folder}.rc`, "utf8")).toBe("0\n");
});
