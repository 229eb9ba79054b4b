/**
 * Whether libtorch's shared libraries are whole. The dynamic linker maps a file that was cut short and the process dies
 * of SIGBUS on the first missing page, so this is asked before any library is opened.
 *
 * For a libtorch that setup unpacked there is also a record of its files, with the digests of the archive and of each
 * library, so that it can be verified again. A libtorch from elsewhere has none.
 */
import { closeSync, constants, existsSync, fstatSync, openSync, readSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { digestOf } from "../../base/files/checksums";
import { readInputJson } from "../../base/files/inputFiles";
import type { UnpackedFile } from "./unpack";

const headerBytes = 64;
const programHeaderBytes = 56;

/** What is wrong with the file, or `undefined`. Only 64-bit little-endian ELF for x86-64 is right. */
export function libraryDefect(file: string): string | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO would wait for a writer
  } catch (error) {
    return (error as Error).message;
  }
  try {
    const stats = fstatSync(descriptor);
    return stats.isFile() ? headerDefect(descriptor, stats.size) : "not a regular file";
  } catch (error) {
    return (error as Error).message;
  } finally {
    closeSync(descriptor);
  }
}

function headerDefect(descriptor: number, size: number): string | undefined {
  const header = Buffer.alloc(headerBytes);
  if (readSync(descriptor, header, 0, headerBytes, 0) < headerBytes) return `cut short: ${size} bytes`;
  // Magic, 64-bit class, little-endian; type 3 is a shared object; machine 62 is x86-64.
  if (header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1) return "not a shared library";
  if (header.readUInt16LE(18) !== 62) return "built for another processor";
  const count = header.readUInt16LE(56);
  if (header.readUInt16LE(16) !== 3 || count === 0) return "not a shared library";

  const tableAt = header.readBigUInt64LE(32);
  const tableBytes = count * programHeaderBytes;
  // The section headers come last in the file; after them, a segment (offset at 8, bytes in the file at 32).
  let end = tableAt + BigInt(tableBytes);
  if (end > size) return `cut short: ${size} of ${end} bytes`;
  const sections = header.readBigUInt64LE(40) + BigInt(header.readUInt16LE(58) * header.readUInt16LE(60));
  if (sections > end) end = sections;
  const table = Buffer.alloc(tableBytes);
  readSync(descriptor, table, 0, tableBytes, Number(tableAt));
  for (let at = 0; at < tableBytes; at += programHeaderBytes) {
    const segmentEnd = table.readBigUInt64LE(at + 8) + table.readBigUInt64LE(at + 32);
    if (segmentEnd > end) end = segmentEnd;
  }
  return size < end ? `cut short: ${size} of ${end} bytes` : undefined;
}

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
