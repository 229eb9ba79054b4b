/** The file of `--out`: checked before the work, and replaced only once it is written whole. */
import { accessSync, closeSync, constants, existsSync, openSync, readSync, type Stats, statSync } from "node:fs";
import { basename, dirname, extname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { InputError } from "../base/errors";
import { type Input, linksIn } from "../base/files/outputFolder";
import { pathInside, realPath } from "../base/files/paths";
import { StagedFiles } from "../base/files/wholeFiles";
import { localBaseOf } from "../models/modelSource";
import { isRunEntry, REPORT_FILE } from "../train/output/entries";

const CHUNK = 1 << 18; // bytes
const FLUSH = 1 << 26; // bytes
const NEWLINE = 10;

/** An input that `--out` of a command must not replace. */
export interface FileInput extends Pick<Input, "path" | "option"> {
  /**
   * Which files of a folder are read: data (a new file would be, too), the rows of tasks by their names, or those of a
   * model, an adapter or a run.
   */
  readonly kind: "data" | "tasks" | "model";
}

/** Checks `--out` before the work: whether it can be written, and whether it would replace an input. */
export function expectWritable(out: string, inputs: readonly FileInput[] = []): void {
  if (out === "-") return;
  const there = statOf(out);
  if (there?.isDirectory()) throw new InputError(`Expected a file for '--out' but '${out}' is a folder; name a file in it`);
  if (there && !there.isFile())
    // a device would be replaced by a file
    throw new InputError(`Expected a file for '--out' but '${out}' is not one; name a new file, or - for standard output`);
  expectNoInput(out, inputs);
  for (let path = dirname(resolve(out)); ; path = dirname(path)) {
    const stats = statOf(path);
    if (!stats) continue;
    if (!stats.isDirectory()) throw new InputError(`Expected a folder for the file of '--out' but '${path}' is a file`);
    try {
      return accessSync(path, constants.W_OK);
    } catch {
      throw new InputError(`Expected a folder that may be written to for the file of '--out' but '${path}' may not`);
    }
  }
}

/** A model or adapter as an input; an adapter's base counts as an input too. */
export function modelInputs(path: string | undefined, option: string): FileInput[] {
  if (path === undefined) return [];
  return [path, localBaseOf(path)].flatMap((each): FileInput[] =>
    each === undefined ? [] : [{ path: each, option, kind: "model" }],
  );
}

/** @throws InputError when writing the file would replace an input, or add to a folder of data that is one */
export function expectNoInput(out: string, inputs: readonly FileInput[]): void {
  const file = realPath(out);
  for (const { path, option, kind } of inputs) {
    if (!existsSync(path)) continue;
    const input = realPath(path);
    const expected = `Expected another file for '--out' than for '${option}' but received '${out}'`;
    if (input === file) throw new InputError(`${expected} for both`);
    if (!statSync(input).isDirectory()) continue;
    const inside = pathInside(input, file);
    if (inside !== undefined && isRead(input, inside, kind))
      throw new InputError(`${expected}, which is read from the folder ${path}`);
    if (linksIn(input).includes(file)) throw new InputError(`${expected}, which a link in the folder ${path} leads to`);
  }
}

function isRead(folder: string, inside: string, kind: FileInput["kind"]): boolean {
  const name = basename(inside);
  if (kind !== "model") {
    if (!/\.(jsonl|ndjson|json|parquet)(\.gz)?$/.test(name)) return false;
    return kind === "data" || (existsSync(join(folder, inside)) && !holdsResults(join(folder, inside)));
  }
  return name !== REPORT_FILE && (isRunEntry(inside) || [".safetensors", ".gguf", ".bin", ".model"].includes(extname(name)));
}

/** Whether a file holds results of `smaug eval`, which may be replaced. */
function holdsResults(file: string): boolean {
  const start = Buffer.alloc(64);
  const descriptor = openSync(file, "r");
  try {
    return /^\{\s*"(results|model)":/.test(start.toString("utf8", 0, readSync(descriptor, start)));
  } finally {
    closeSync(descriptor);
  }
}

/** Writes a line for each item to a file that appears when all of them are in it, or to standard output for `-`. */
export async function writeLines<T>(out: string, items: AsyncIterable<T>, lineOf: (item: T) => string): Promise<void> {
  if (out === "-") return pipeline(Readable.from(copied(inChunks(items, lineOf))), process.stdout, { end: false });
  const staged = await StagedFiles.in(dirname(out));
  try {
    await staged.add(basename(out), async (file) => {
      // Both continue while the next lines are made. Flushing only at the end would take a tenth of the total time.
      let [writing, flushing] = [Promise.resolve(), Promise.resolve()];
      let unflushed = 0;
      try {
        for await (const chunk of inChunks(items, lineOf)) {
          await writing;
          writing = file.appendFile(chunk);
          writing.catch(() => undefined); // it is awaited below, as is the other
          if ((unflushed += chunk.length) < FLUSH) continue;
          unflushed = 0;
          await flushing;
          flushing = file.datasync();
          flushing.catch(() => undefined);
        }
      } finally {
        await Promise.all([writing, flushing]);
      }
    });
    await staged.commit();
  } catch (error) {
    await staged.discard();
    throw error;
  }
}

/** Many lines per chunk: one write per line would take most of the time. Two buffers alternate, so each lasts two steps. */
async function* inChunks<T>(items: AsyncIterable<T>, lineOf: (item: T) => string): AsyncGenerator<Buffer> {
  let [chunk, other] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
  let end = 0;
  for await (const item of items) {
    const line = lineOf(item);
    const most = 3 * line.length + 1; // bytes that UTF-8 can take
    if (end + most > CHUNK && end > 0) {
      yield chunk.subarray(0, end);
      [chunk, other, end] = [other, chunk, 0];
    }
    if (most > CHUNK) yield Buffer.from(`${line}\n`);
    else {
      end += chunk.write(line, end);
      chunk[end++] = NEWLINE;
    }
  }
  if (end > 0) yield chunk.subarray(0, end);
}

async function* copied(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk);
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined; // nothing there, or below a file
  }
}
