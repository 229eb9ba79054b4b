/**
 * Child processes with limits: of time without progress, of resident memory (polled, since V8 reserves far more address
 * space than it uses), of output. Every child has its own process group; {@link killAll} ends those that are left.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

const POLL_MS = 40;
const PAGE = 4096;
const MAX_OUTPUT = 4 * 2 ** 20;

const running = new Set();

/** Ends every child that is left, with its own children. For exits; also after Ctrl-C. */
export function killAll() {
  for (const child of running) killGroup(child);
}

function killGroup(child) {
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

/** Resident bytes of a process and its children; 0 when it is gone. */
function residentBytes(pid) {
  try {
    const own = Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) * PAGE;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ").filter(Boolean);
    return children.reduce((sum, child) => sum + residentBytes(Number(child)), own);
  } catch {
    return 0;
  }
}

/**
 * Starts a child. `limits`: `bytes` of resident memory, and `seconds` without a line on file descriptor 3 (the first may
 * take `startSeconds` longer); for a child without that descriptor it is the whole run. `ended` is fulfilled with how it ended, never rejected:
 * `{ code, signal, reason, peak, stdout, stderr, seconds }`. `reason` is `exited`, `hang` or `memory` (the two limits), or
 * `killed` (by `kill()`).
 *
 * @param onLine takes each line that the child writes to file descriptor 3, parsed
 */
export function start(command, args, { cwd, env = process.env, stdio, limits, onLine } = {}) {
  const child = spawn(command, args, { cwd, env, stdio: stdio ?? ["ignore", "pipe", "pipe"], detached: true });
  running.add(child);
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"])
    child[name]
      ?.setEncoding("utf8")
      .on("data", (text) => (texts[name] = (texts[name] + text).slice(-MAX_OUTPUT)))
      .on("error", () => {});
  const began = performance.now();
  let [progress, peak, reason] = [began, 0, undefined];
  let pending = "";
  child.stdio[3]
    ?.setEncoding("utf8")
    .on("data", (text) => {
      progress = performance.now();
      const lines = (pending + text).split("\n");
      pending = lines.pop();
      for (const line of lines) onLine?.(JSON.parse(line));
    })
    .on("error", () => {});
  const end = (why) => {
    reason ??= why;
    killGroup(child);
  };
  const poll = setInterval(() => {
    const bytes = residentBytes(child.pid);
    peak = Math.max(peak, bytes);
    if (bytes > limits.bytes) end("memory");
    else if (performance.now() - progress > (limits.seconds + (progress === began ? (limits.startSeconds ?? 0) : 0)) * 1000)
      end("hang");
  }, POLL_MS);
  const ended = new Promise((resolve) => {
    let failure;
    child.once("error", (error) => (failure = error));
    const finish = (code, signal) => {
      clearInterval(poll);
      running.delete(child);
      if (failure) texts.stderr += failure.message;
      resolve({
        code,
        signal,
        reason: reason ?? "exited",
        peak,
        ...texts,
        seconds: (performance.now() - began) / 1000,
      });
    };
    child.once("close", finish);
    child.once("error", () => finish(-1, null));
    // A reader that we closed ourselves never reports its end.
    child.once("exit", (code, signal) =>
      setTimeout(() => child.stdio.some((each) => each?.destroyed) && finish(code, signal), 200),
    );
  });
  return {
    child,
    ended,
    output: texts,
    kill(signal = "SIGKILL") {
      if (signal !== "SIGKILL") return void child.kill(signal);
      end("killed");
    },
  };
}

/** Runs a command to its end. */
export const run = (command, args, options) => start(command, args, options).ended;
