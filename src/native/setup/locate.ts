/**
 * Finding libtorch on this machine. Looks only: nothing is opened, fetched or remembered here. In order: the folder
 * asked for, `LIBTORCH`, what an earlier setup chose, Python's torch (when setup found one), the system's folders.
 * The first two are orders: when such a folder does not fit, nothing else is tried.
 */
import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { readInputJson, readInputText } from "../../base/files/inputFiles";
import { cacheFolder, type EnvironmentVariables } from "../../base/package";

/** The libtorch minors the addon is written for. */
const supported = { oldest: 11, newest: 14 };
export const supportedText = `libtorch 2.${supported.oldest} to 2.${supported.newest}`;

export interface Libtorch {
  folder: string;
  /** Where the libraries are, usually `folder/lib`. */
  libraries: string;
  /** As libtorch writes it: `2.13.0+cpu`. */
  version: string;
  /** `2.13`: one addon serves one minor. */
  minor: string;
  /** Whether it was built for CUDA. */
  cuda: boolean;
  /** How it was found. */
  source: string;
}

export interface Rejected {
  folder: string;
  source: string;
  reason: string;
}

export interface Located {
  libtorch?: Libtorch;
  /** What was looked at before, and why it does not fit. */
  rejected: Rejected[];
}

export interface LocateOptions {
  env: EnvironmentVariables;
  /** The folder given as `--libtorch`. */
  asked?: string | undefined;
  /** Finds the folder of Python's torch package; called when its turn comes. */
  python?: () => string | undefined;
  system?: readonly string[];
}

interface Candidate {
  folder: string;
  source: string;
}

/** The limit for files that are read here, such as a version or the choice of setup. */
const small = { maxBytes: 2 ** 20 };

const systemFolders = ["/usr/local/libtorch", "/opt/libtorch", "/usr/local", "/usr"];

/** Finds the first libtorch that fits. */
export function locate(options: LocateOptions): Located {
  const rejected: Rejected[] = [];
  for (const { folder, source } of candidates(options)) {
    const result = examine(folder);
    if (typeof result === "object") return { libtorch: { ...result, source }, rejected };
    rejected.push({ folder, source, reason: result });
  }
  return { rejected };
}

function* candidates({ env, asked, python, system = systemFolders }: LocateOptions): Generator<Candidate> {
  if (asked !== undefined) return yield { folder: resolve(asked), source: "--libtorch" };
  if (env.LIBTORCH) return yield { folder: resolve(env.LIBTORCH), source: "LIBTORCH" };
  const chosen = chosenFolder(env);
  if (chosen) yield { folder: chosen, source: "chosen by setup" };
  const torch = python?.();
  if (torch) yield { folder: torch, source: "Python's torch" };
  for (const folder of system) if (libraryFolder(folder)) yield { folder, source: "system" };
}

/** The file in which setup keeps its choice. */
export function choiceFile(env: EnvironmentVariables): string {
  return join(cacheFolder(env), "libtorch.json");
}

/** What an earlier setup chose. */
export function chosenFolder(env: EnvironmentVariables): string | undefined {
  try {
    const { folder } = readInputJson(choiceFile(env), "setup's choice", small) as { folder?: unknown };
    return typeof folder === "string" && folder !== "" ? resolve(folder) : undefined;
  } catch {
    return undefined; // no setup yet, or not its file
  }
}

/** What a folder holds, or why it cannot be used as libtorch. */
export function examine(folder: string): Omit<Libtorch, "source"> | string {
  const absent = folderDefect(folder);
  if (absent) return absent;
  const libraries = libraryFolder(folder);
  if (!libraries) return "no lib/libtorch_cpu.so in it";
  const version = readVersion(folder, libraries);
  if (!version) return "its version cannot be read (no version.py, build-version or version.h)";
  const [major, minor] = version.split(".").map(Number) as [number, number];
  if (major !== 2 || minor < supported.oldest || minor > supported.newest) return `libtorch ${version}`;
  return { folder, libraries, version, minor: `${major}.${minor}`, cuda: !!findLibrary(libraries, "libtorch_cuda") };
}

function folderDefect(folder: string): string | undefined {
  try {
    const stats = statSync(folder, { throwIfNoEntry: false });
    return stats === undefined ? "no such folder" : stats.isDirectory() ? undefined : "not a folder";
  } catch (error) {
    return (error as Error).message; // no permission, a loop of links, a name that is too long
  }
}

/** `libtorch_cpu` in a folder: as `libtorch_cpu.so`, or with a distribution's version behind it. */
function findLibrary(folder: string, name: string): string | undefined {
  const files = filesIn(folder).filter((file) => file === `${name}.so` || file.startsWith(`${name}.so.`));
  return files.length > 0 ? join(folder, files.sort()[0]!) : undefined;
}

/** The libraries to open, in this order: dependencies come before the libraries that need them. */
export function libraryFiles({ libraries }: Pick<Libtorch, "libraries">): string[] {
  // A wheel brings its own libgomp, with a hash in the name or without.
  const openmp = filesIn(libraries).filter((name) => /^libgomp[-\w]*\.so/.test(name));
  const names = ["libc10", "libtorch_cpu", "libc10_cuda", "libtorch_cuda", "libtorch"];
  const present = names.flatMap((name) => findLibrary(libraries, name) ?? []);
  return [...openmp.map((name) => join(libraries, name)), ...present];
}

function libraryFolder(folder: string): string | undefined {
  return ["lib", "lib64", "lib/x86_64-linux-gnu"]
    .map((name) => join(folder, name))
    .find((path) => findLibrary(path, "libtorch_cpu"));
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // not a folder, or closed to us
  }
}

// A wheel has version.py, the official archive build-version; the headers are the same in every distribution.
function readVersion(folder: string, libraries: string): string | undefined {
  const read = (file: string) => {
    try {
      return readInputText(join(folder, file), "a version", small);
    } catch {
      return "";
    }
  };
  const wheel = /__version__ = '(\d+\.\d+\.\d+[^']*)'/.exec(read("version.py"));
  const archive = /^(\d+\.\d+\.\d+\S*)/.exec(read("build-version"));
  if (wheel || archive) return (wheel ?? archive)![1];
  for (const file of ["torch/headeronly/version.h", "torch/csrc/api/include/torch/version.h"]) {
    const header = read(join("include", file));
    const number = (part: string) => new RegExp(`TORCH_VERSION_${part} (\\d+)`).exec(header)?.[1];
    const parts = ["MAJOR", "MINOR", "PATCH"].map(number);
    if (parts.every(Boolean)) return parts.join(".");
  }
  return /\.so\.(\d+\.\d+.*)$/.exec(findLibrary(libraries, "libtorch_cpu") ?? "")?.[1];
}
