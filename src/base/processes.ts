/**
 * Processes: which one this is, and which one made a file, by pid, start and host (the system reuses pids, and another
 * host on the same file system assigns the same ones); and whether there may be worker threads, or several processes.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { extname } from "node:path";
import { InputError } from "./errors";

export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks between boot and the start of the process, as `/proc/PID/stat` gives them. */
  readonly started: number;
  readonly host: string;
}

export function thisProcess(): ProcessIdentity {
  return (self ??= { pid: process.pid, started: startOf(process.pid) ?? 0, host: hostname() });
}

let self: ProcessIdentity | undefined;

/** `unknown` for a process on another host, which cannot be checked. */
export function stateOf({ pid, started, host }: ProcessIdentity): "running" | "gone" | "unknown" {
  if (host !== hostname()) return "unknown";
  return startOf(pid) === started ? "running" : "gone";
}

function startOf(pid: number): number | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The second field, the program's name in parentheses, may itself hold spaces and parentheses.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === "Z" || state === "X" ? undefined : Number(fields[18]);
}

/** A host's name as a part of file names. */
export function hostDigest(host: string): string {
  return createHash("sha256").update(host).digest("hex").slice(0, 8);
}

/** Whether a process with that pid exists on this host, whoever owns it. */
export function isRunning(pid: number): boolean {
  return startOf(pid) !== undefined;
}

/**
 * Launchers such as torchrun start several processes, each of which would train on all rows into the same folder.
 *
 * @throws InputError when the environment says that this is one of several processes
 */
export function expectOneProcess(environment: NodeJS.ProcessEnv = process.env): void {
  const text = environment["WORLD_SIZE"]?.trim() ?? "";
  if (text === "" || Number(text) === 1) return;
  if (/^\d+$/.test(text) && Number(text) > 1)
    throw new InputError(
      `Expected one process but the environment variable WORLD_SIZE is ${text}: training in several processes is not ` +
        "supported yet. Start smaug once, without torchrun or another launcher, or unset WORLD_SIZE",
    );
  throw new InputError(
    `Expected the number of processes in the environment variable WORLD_SIZE but received ${JSON.stringify(text)}; unset it`,
  );
}

/** Whether worker threads can run this package: not where TypeScript runs through a loader that threads do not inherit. */
export const canStartWorkers = extname(__filename) === ".js";
