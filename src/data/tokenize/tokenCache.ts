/**
 * Tokenised rows kept in a file, by content: its name is the hash of everything the ids follow from (rows, tokenizer
 * files, limits, this package). A file that is not whole, or is another version's, counts as not there.
 *
 * Layout: "smaugtok", the header's length, the header in JSON, the stored pairs (32-bit integers, little endian),
 * SHA-256 of all that.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { readInput } from "../../base/files/inputFiles";
import { makeFolder, writeWhole } from "../../base/files/wholeFiles";
import { packageVersion } from "../../base/package";
import { companionPlaces, GENERATION_FILE, TEMPLATE_FILE, TEMPLATE_FOLDER } from "../../models/companions";
import type { Tokenizer } from "../../text";
import { exactEntries } from "../../text/exactNumbers";
import { readTokenizerFolder } from "../../text/folder";
import type { TrainingRow } from "../rows/preferenceRow";
import type { Limits, StoredRows } from "./pairTokenizer";

const MAGIC = "smaugtok";
const FORMAT = 4;
const DIGEST = 32; // bytes
const MONTH = 30 * 24 * 3600 * 1000; // ms

/** The file's header. */
interface Header extends Omit<StoredRows, "stored" | "warnings"> {
  /** The content's hash, which is also the file's name. */
  readonly key: string;
  /** The warnings. */
  readonly odd: StoredRows["warnings"];
}

/** What the ids of rows follow from, as one hash. */
export async function contentKey(
  rows: readonly TrainingRow[],
  tokenizer: Tokenizer,
  { maxLength, truncationMode }: Limits,
): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([FORMAT, packageVersion(), maxLength ?? null, truncationMode ?? null]));
  for (const [file, bytes] of await tokenizerFiles(tokenizer)) {
    hash.update(`\n${file} ${bytes.length}\n`).update(bytes);
    // Such a template writes today's date into every prompt.
    if (bytes.includes("strftime_now")) hash.update(new Date().toDateString());
  }
  for (const row of rows) hash.update(`\n${JSON.stringify(row)}`);
  // JSON does not distinguish 20.0 from 20, 0.0 from -0.0, or NaN from null.
  for (const [path, number] of exactEntries(rows))
    hash.update(`\n${JSON.stringify(path)} ${typeof number} ${Object.is(number, -0) ? "-0" : number}`);
  return hash.digest("hex");
}

/** The files that ids depend on; config.json says which class transformers would load. */
const FILES = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "config.json"];

/** Everything a tokenizer is read from, where it exists: files in folders, the metadata of a GGUF file. */
async function tokenizerFiles({ path, adapterPath }: Tokenizer): Promise<[name: string, content: Buffer][]> {
  if (path.endsWith(".gguf")) {
    const { file: _, templatePlaces: __, ...content } = await readTokenizerFolder(path, adapterPath);
    return [["gguf", Buffer.from(JSON.stringify(content))]];
  }
  const { tokenizer, templates, generation } = companionPlaces(path, adapterPath);
  const more = await readdir(join(templates, TEMPLATE_FOLDER)).catch(() => []);
  const files: [folder: string, name: string][] = [
    ...FILES.map((name): [string, string] => [tokenizer, name]),
    ...(tokenizer === path ? [] : [[path, "config.json"] as [string, string]]),
    [generation, GENERATION_FILE],
    [templates, TEMPLATE_FILE],
    ...more
      .filter((name) => name.endsWith(".jinja"))
      .sort()
      .map((name): [string, string] => [templates, join(TEMPLATE_FOLDER, name)]),
  ];
  return files
    .filter(([folder, name]) => existsSync(join(folder, name)))
    .map(([folder, name]): [string, Buffer] => [name, readInput(join(folder, name), "a tokenizer's file")]);
}

export async function readTokenCache(folder: string, key: string): Promise<StoredRows | undefined> {
  const file = join(folder, key);
  const bytes = contentOf(file);
  if (!bytes || bytes.length < MAGIC.length + 4 + DIGEST) return undefined;
  const content = bytes.subarray(0, -DIGEST);
  if (content.toString("latin1", 0, MAGIC.length) !== MAGIC || !sha256(content).equals(bytes.subarray(-DIGEST))) return undefined;
  const start = MAGIC.length + 4;
  const end = start + content.readUInt32LE(MAGIC.length);
  // The digest matches, so smaug wrote this header.
  const header = JSON.parse(content.toString("utf8", start, end)) as Header;
  if (header.key !== key) return undefined;
  const now = new Date();
  await utimes(file, now, now).catch(() => undefined); // it stays for another month
  // The integers begin anywhere in the file; a typed array has to begin at a multiple of four.
  const stored = new Int32Array(Uint8Array.from(content.subarray(end)).buffer);
  const { refused, cut, odd: warnings } = header;
  return { stored, refused, cut, warnings };
}

function contentOf(file: string): Buffer | undefined {
  try {
    return readInput(file, "tokenised rows", { maxBytes: Infinity });
  } catch {
    return undefined;
  }
}

/** Keeps the rows, and removes what nobody has asked for in a month. */
export async function writeTokenCache(folder: string, key: string, rows: StoredRows): Promise<void> {
  const { stored, refused, cut, warnings } = rows;
  const header = Buffer.from(JSON.stringify({ key, refused, cut, odd: warnings } satisfies Header));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const ids = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const content = Buffer.concat([Buffer.from(MAGIC), length, header, ids]);
  makeFolder(folder);
  await writeWhole(join(folder, key), Buffer.concat([content, sha256(content)]));
  for (const name of await readdir(folder)) {
    const file = join(folder, name);
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Infinity }));
    if (mtimeMs < Date.now() - MONTH) await rm(file, { force: true });
  }
}

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
