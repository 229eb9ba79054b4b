/**
 * What a program does to files, call by call, and whether a power cut at any moment would have lost something:
 *
 * - what gets its final name, by rename, was flushed after its last write, and so was all that a renamed folder holds;
 * - the folder of the final name is flushed before anything visible is removed or moved away, and before the end;
 * - no file is written under its final name, apart from logs that only grow.
 *
 * A path is visible when no part of it below the traced folder starts with a dot.
 */
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export interface FileCall {
  readonly call: "open" | "write" | "fsync" | "rename" | "link" | "remove";
  readonly path: string;
  /** The new path of a rename or link; how a file was opened. */
  readonly to: string;
}

export interface Traced {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly calls: readonly FileCall[];
}

/** Compiles the library to preload, and returns a function that runs Node under it and one that removes it. */
export function fileTracer(): { run(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Traced>; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), "smaug-trace-"));
  const library = join(folder, "fileTrace.so");
  const source = fileURLToPath(new URL("fileTrace.c", import.meta.url));
  execFileSync(process.env.CC ?? "cc", ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"]);
  let runs = 0;
  return {
    run(args, env = {}) {
      const trace = join(folder, `trace-${++runs}`);
      // libuv may hand calls to io_uring, past the C library.
      const traced = { LD_PRELOAD: library, SMAUG_FILE_TRACE: trace, UV_USE_IO_URING: "0", OMP_NUM_THREADS: "1" };
      return new Promise((resolve) => {
        execFile(process.execPath, [...args], { env: { ...process.env, ...env, ...traced } }, (error, stdout, stderr) => {
          const code = error ? Number(error.code ?? -1) : 0;
          resolve({ code, stdout, stderr, calls: parse(readFileSync(trace, "utf8")) });
        });
      });
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}

function parse(text: string): FileCall[] {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => {
      const [call, path, to] = line.split("\t") as [FileCall["call"], string, string];
      return { call, path, to };
    });
}

/** Files that are written under their final names, since they only grow; records have digests of their own. */
const LOGS = /^(metrics\.jsonl|events\.out\.tfevents\..*|logprobs-.*\.records)$/;

/** What in these calls below `root` a power cut could lose, in words; empty when nothing. */
export function powerCutFaults(calls: readonly FileCall[], root: string, { logs = LOGS } = {}): string[] {
  const faults: string[] = [];
  const isBelow = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);
  const isVisible = (path: string) =>
    relative(root, path)
      .split("/")
      .every((part) => !part.startsWith("."));
  const shown = (path: string) => relative(root, path);
  /** Files with writes that are not flushed. */
  const dirty = new Set<string>();
  /** Folders in which something got its final name, not flushed since. */
  const pending = new Map<string, string>();
  const named = (from: string, to: string) => {
    if (!isVisible(to)) return;
    for (const path of dirty)
      if (isBelow(path, from)) faults.push(`${shown(to)}: ${shown(path)} was not flushed before it got its name`);
    if (!isVisible(from)) pending.set(dirname(to), to); // else it was there already, under its old name
  };
  const gone = (path: string) => {
    for (const each of [...dirty]) if (isBelow(each, path)) dirty.delete(each);
    if (!isVisible(path)) return;
    for (const [folder, newer] of pending)
      if (folder !== path) faults.push(`${shown(path)} was removed while ${shown(newer)} could still be lost`);
  };
  for (const { call, path, to } of calls) {
    if (!isBelow(path, root)) continue;
    if (call === "write" || (call === "open" && to !== "append")) {
      if (isVisible(path) && !logs.test(basename(path))) faults.push(`${shown(path)} was written under its final name`);
      if (call === "write") dirty.add(path);
    } else if (call === "fsync") {
      dirty.delete(path);
      pending.delete(path);
    } else if (call === "remove") gone(path);
    else if (call === "link") named(path, to);
    else if (call === "rename") {
      if (isVisible(path) && !isVisible(to)) gone(path); // moved out of sight
      named(path, to);
      for (const each of [...dirty]) if (isBelow(each, path)) dirty.delete(each);
    }
  }
  for (const newer of pending.values()) faults.push(`${shown(newer)} could still be lost at the end`);
  return [...new Set(faults)];
}
