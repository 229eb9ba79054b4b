/**
 * Checksums of a folder's files: `checksums.json` lists the size and SHA-256 of each, so that any later change (a
 * flipped bit, a truncated or replaced file) is detected before anything is read from it. Also digests of single files.
 */
import { createHash } from "node:crypto";
import { closeSync, existsSync, fstatSync, openSync, readdirSync, readSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { basename, isAbsolute, join, normalize, relative, sep } from "node:path";
import { InputError } from "../errors";
import { isObject } from "../values";
import { openInput, parseJson, readInputText } from "./inputFiles";

export const CHECKSUMS_FILE = "checksums.json";

interface Checksum {
  readonly bytes: number;
  readonly sha256: string;
}

type Checksums = Readonly<Record<string, Checksum>>;

/** Records every file in `folder` and its subfolders. The caller flushes the folder when it publishes it. */
export async function writeChecksums(folder: string): Promise<void> {
  const checksums = Object.fromEntries(filesIn(folder).map((name) => [name, checksumOf(join(folder, name))]));
  await writeFile(join(folder, CHECKSUMS_FILE), format(checksums));
}

/**
 * Checks every file that the folder's `checksums.json` lists, sizes first.
 *
 * @returns the names of the files that were checked
 * @throws InputError that names the first file that is missing or has changed
 */
export function verifyChecksums(folder: string): ReadonlySet<string> {
  const checksums = readChecksums(join(folder, CHECKSUMS_FILE));
  for (const [name, { bytes }] of Object.entries(checksums)) {
    const file = join(folder, name);
    const size = sizeOf(file);
    if (size !== bytes)
      throw new InputError(
        `Expected ${bytes} bytes in ${file}, as ${CHECKSUMS_FILE} says, but received ${size}; ` +
          `the file is ${size < bytes ? "truncated" : "too long"} or was replaced`,
      );
  }
  for (const [name, { sha256 }] of Object.entries(checksums)) {
    const found = checksumOf(join(folder, name)).sha256;
    if (found !== sha256)
      throw new InputError(
        `Expected the SHA-256 ${sha256.slice(0, 16)}… of ${join(folder, name)}, as ${CHECKSUMS_FILE} says, ` +
          `but received ${found.slice(0, 16)}…; the file is damaged or was replaced`,
      );
  }
  return new Set(Object.keys(checksums));
}

/** Whether the folder has checksums. */
export function hasChecksums(folder: string): boolean {
  return existsSync(join(folder, CHECKSUMS_FILE));
}

/** The list, with a digest of itself. */
function format(files: Checksums): string {
  const sha256 = createHash("sha256").update(JSON.stringify(files)).digest("hex");
  return `${JSON.stringify({ files, sha256 }, null, 2)}\n`;
}

function readChecksums(file: string): Checksums {
  const text = readInputText(file, "the checksums of a folder");
  const { files } = (parseJson(text, file, "the checksums of a folder") ?? {}) as { files?: unknown };
  // Only the exact text that `format` writes is accepted, so that a flipped bit anywhere in it is found.
  if (!isChecksums(files) || format(files) !== text)
    throw new InputError(
      `Expected the checksums of a folder in ${file} as smaug wrote them but received different ones; the file is damaged`,
    );
  return files;
}

function isChecksums(value: unknown): value is Checksums {
  return isObject(value) && Object.entries(value).every(([name, each]) => isInside(name) && isChecksum(each));
}

function isChecksum(value: unknown): value is Checksum {
  return isObject(value) && Number.isSafeInteger(value["bytes"]) && /^[0-9a-f]{64}$/.test(String(value["sha256"]));
}

function isInside(name: string): boolean {
  return !isAbsolute(name) && normalize(name).split(sep)[0] !== "..";
}

/** Files in a folder and its subfolders, sorted, without hidden ones. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((name) => !name.startsWith(".") && name !== CHECKSUMS_FILE)
    .sort();
}

function sizeOf(file: string): number {
  const descriptor = openInput(file, "a file of the checkpoint");
  try {
    return fstatSync(descriptor).size;
  } finally {
    closeSync(descriptor);
  }
}

function checksumOf(file: string): Checksum {
  const descriptor = openInput(file, "a file of the checkpoint");
  try {
    return digestOfOpen(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The SHA-256 of a file, as hex digits. */
export function digestOf(file: string): string {
  const descriptor = openSync(file, "r");
  try {
    return digestOfOpen(descriptor).sha256;
  } finally {
    closeSync(descriptor);
  }
}

/** Fails unless the file has that digest; `name` is what the error calls it. */
export function expectDigest(file: string, sha256: string, name = basename(file)): void {
  const received = digestOf(file);
  if (received !== sha256) throw new Error(`${name}: expected SHA-256 ${sha256} but received ${received}`);
}

/** Bytes read and hashed in one step. */
const STEP = 1 << 20;

/** The length and the digest of a file that has just been opened, read from its beginning. */
function digestOfOpen(descriptor: number): { bytes: number; sha256: string } {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(STEP);
  let bytes = 0;
  for (let read = -1; read !== 0; bytes += read) {
    read = readSync(descriptor, buffer, 0, STEP, null);
    hash.update(buffer.subarray(0, read));
  }
  return { bytes, sha256: hash.digest("hex") };
}
