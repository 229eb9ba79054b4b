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
  const disk = new Disk(root, logs);
  for (const each of calls) if (isBelow(each.path, root)) disk[each.call](each.path, each.to);
  return disk.end();
}

const isBelow = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);

/** What has reached the disk for sure, after each call; the methods are those of {@link FileCall}. */
class Disk implements Record<FileCall["call"], (path: string, to: string) => void> {
  private readonly faults: string[] = [];
  /** Files with writes that are not flushed. */
  private readonly dirty = new Set<string>();
  /** Folders in which something got its final name, not flushed since. */
  private readonly pending = new Map<string, string>();

  constructor(
    private readonly root: string,
    private readonly logs: RegExp,
  ) {}

  open(path: string, to: string): void {
    if (to !== "append") this.expectTemporary(path);
  }

  write(path: string): void {
    this.expectTemporary(path);
    this.dirty.add(path);
  }

  fsync(path: string): void {
    this.dirty.delete(path);
    this.pending.delete(path);
  }

  remove(path: string): void {
    this.forget(path);
    if (!this.isVisible(path)) return;
    for (const [folder, newer] of this.pending)
      if (folder !== path) this.faults.push(`${this.shown(path)} was removed while ${this.shown(newer)} could still be lost`);
  }

  link(path: string, to: string): void {
    if (!this.isVisible(to)) return;
    for (const each of this.dirty)
      if (isBelow(each, path)) this.faults.push(`${this.shown(to)}: ${this.shown(each)} was not flushed before it got its name`);
    if (!this.isVisible(path)) this.pending.set(dirname(to), to); // else it was there already, under its old name
  }

  rename(path: string, to: string): void {
    if (this.isVisible(path) && !this.isVisible(to)) this.remove(path); // moved out of sight
    this.link(path, to);
    this.forget(path);
  }

  end(): string[] {
    for (const newer of this.pending.values()) this.faults.push(`${this.shown(newer)} could still be lost at the end`);
    return [...new Set(this.faults)];
  }

  private expectTemporary(path: string): void {
    if (this.isVisible(path) && !this.logs.test(basename(path)))
      this.faults.push(`${this.shown(path)} was written under its final name`);
  }

  private forget(path: string): void {
    for (const each of [...this.dirty]) if (isBelow(each, path)) this.dirty.delete(each);
  }

  private isVisible(path: string): boolean {
    return this.shown(path)
      .split("/")
      .every((part) => !part.startsWith("."));
  }

  private shown(path: string): string {
    return relative(this.root, path);
  }
}
