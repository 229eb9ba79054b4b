/**
 * A record of what setup unpacked into a folder, with the digests of the archive and of each shared library, so that a
 * fetched libtorch can be verified again before it is opened. A libtorch from elsewhere has none.
 */
import { existsSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { readInputJson } from "../../base/files/inputFiles";
import { digestOf } from "./digest";
import type { UnpackedFile } from "./unpack";

const manifestName = "smaug-fetched.json";
const maxBytes = 2 ** 20;

interface Manifest {
  /** The archive's name and its digest, which was verified before it was unpacked. */
  archive: string;
  sha256: string;
  /** By path below the folder. */
  libraries: Record<string, { bytes: number; modified: number; sha256: string }>;
}

/**
 * How thoroughly to verify: `size` takes microseconds and runs on every import; `time` compares digests of files whose
 * modification time has changed; `digest` always does (half a second).
 */
export type Thoroughness = "size" | "time" | "digest";

/** Whether a folder was unpacked by setup, with a record of its files. */
export function hasManifest(folder: string): boolean {
  return existsSync(join(folder, manifestName));
}

/** Records what has been unpacked into `folder`. */
export function writeManifest(folder: string, archive: { name: string; sha256: string }, files: readonly UnpackedFile[]): void {
  const libraries: Manifest["libraries"] = {};
  for (const { path, bytes, sha256 } of files)
    if (path.startsWith("lib/")) libraries[path] = { bytes, modified: statSync(join(folder, path)).mtimeMs, sha256 };
  const manifest: Manifest = { archive: archive.name, sha256: archive.sha256, libraries };
  writeFileSync(join(folder, manifestName), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** How the libraries differ from what was unpacked; `undefined` if they do not, or if the folder has no record. */
export function fetchedDefect(folder: string, libraries: readonly string[], how: Thoroughness): string | undefined {
  if (!hasManifest(folder)) return undefined;
  const recorded = readManifest(folder);
  if (recorded === undefined) return `${join(folder, manifestName)} cannot be read`;
  for (const file of libraries) {
    const defect = libraryDifference(file, recorded.libraries[relative(folder, file)], how);
    if (defect) return `${file}: ${defect}`;
  }
  return undefined;
}

function libraryDifference(
  file: string,
  recorded: Manifest["libraries"][string] | undefined,
  how: Thoroughness,
): string | undefined {
  if (recorded === undefined) return "not among the files that setup unpacked";
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile()) return "not a file";
  if (stats.size !== recorded.bytes) return `expected ${recorded.bytes} bytes but received ${stats.size}`;
  if (how === "size" || (how === "time" && stats.mtimeMs === recorded.modified)) return undefined;
  const received = digestOf(file);
  return received === recorded.sha256 ? undefined : `expected SHA-256 ${recorded.sha256} but received ${received}`;
}

function readManifest(folder: string): Manifest | undefined {
  try {
    const manifest = readInputJson(join(folder, manifestName), "a record of setup", { maxBytes }) as Manifest;
    const records = Object.values(manifest.libraries);
    const isWhole = records.every(({ bytes, sha256 }) => typeof bytes === "number" && typeof sha256 === "string");
    return isWhole ? manifest : undefined;
  } catch {
    return undefined;
  }
}
