/** Records as a file holds them, each with its place for messages, and the errors of reading a file. */
import { constants, createReadStream, type Stats } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { InputError } from "../../base/errors";
import { kindOf, MAX_INPUT_BYTES } from "../../base/files/inputFiles";

/** One record, not yet judged. `place` is such as `'pairs.jsonl', line 3`. */
export interface SourceRecord {
  readonly place: string;
  /**
   * JSON is parsed when this is first asked for, which may throw; a caller that needs only a few rows need not wait for the
   * rest. A record can be read at any time: its bytes are its own.
   */
  readonly value: unknown;
  /**
   * The same value with each number read by `numberOf` (src/text/exactNumbers.ts), for JSON. Undefined if the numbers of
   * `value` are exact as they are, or are remembered already.
   */
  exact?(): unknown;
}

/** The records of a file in batches, one piece of the file at a time: waiting for each alone would take longer than parsing it. */
export type Source = AsyncGenerator<Iterable<SourceRecord>>;

/** Largest record, or blank space between two records, in bytes. A row of 64 MiB has some 16 million tokens. */
export const MAX_RECORD = 64 * 2 ** 20;
/** Largest file that is read as a whole, in bytes once unpacked. */
export const MAX_WHOLE = MAX_INPUT_BYTES;

/** Why a file cannot be read, by the system's code. */
const REASONS: Record<string, string> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "it may not be read",
  ELOOP: "it is a link that leads back to itself",
  ENAMETOOLONG: "the name is too long for a file",
  ENXIO: "it is a socket or a device, not a file",
};

/** What goes wrong while a file is read, as bad input. */
export function unreadable(file: string, error: unknown): InputError {
  if (error instanceof InputError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new InputError(`Expected a data file at '${file}', but ${REASONS[code ?? ""] ?? message}.`, { cause: error });
}

/** Refuses what is not a regular file: a pipe may never end, and a device never does. */
export function expectFile(file: string, stats: Stats): void {
  if (stats.isFile()) return;
  throw new InputError(`Expected a data file at '${file}', but it is ${kindOf(stats)}`);
}

/** Opens a regular file without waiting for the writer of a pipe. */
export async function openFile(file: string): Promise<{ handle: FileHandle; size: number }> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw unreadable(file, error);
  });
  try {
    const stats = await handle.stat();
    expectFile(file, stats);
    return { handle, size: stats.size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The error for a record, or a file that is read as a whole, above its limit. */
export function tooLong(place: string, what: string, limit: number): InputError {
  return new InputError(`Expected ${what} of at most ${limit / 2 ** 20} MiB in ${place} but received more`);
}

const PIECE = 1 << 18; // bytes

/**
 * The bytes of a text file in pieces, unpacked when its name ends with .gz in any case, without a byte order mark at the
 * start. Each piece has memory of its own, which is never written again: records keep parts of it.
 */
export async function* readPieces(file: string): AsyncGenerator<Buffer> {
  let start: Buffer = Buffer.alloc(0); // with as many bytes as a byte order mark
  for await (const piece of readAll(file)) {
    if (start.length === MARK.length) yield piece;
    else {
      const begun = Buffer.concat([start, piece]);
      start = begun.subarray(0, MARK.length);
      if (start.length === MARK.length) yield start.equals(MARK) ? begun.subarray(MARK.length) : begun;
    }
  }
  if (start.length < MARK.length) yield start;
}

/** U+FEFF in UTF-8, with which some Windows editors begin a file. */
const MARK = Buffer.from("\ufeff");

async function* readAll(file: string): AsyncGenerator<Buffer> {
  let opened: FileHandle | undefined;
  try {
    const from = (opened = (await openFile(file)).handle);
    if (/\.gz$/i.test(file)) return yield* unpacked(file, from);
    const readNext = () => {
      const reading = from.read(Buffer.allocUnsafeSlow(PIECE), 0, PIECE);
      reading.catch(() => undefined); // it is awaited below, unless no more is asked for
      return reading;
    };
    for (let reading = readNext(); ; ) {
      const { bytesRead, buffer } = await reading;
      if (bytesRead === 0) return;
      reading = readNext(); // while this one is worked through
      yield buffer.subarray(0, bytesRead);
    }
  } catch (error) {
    throw unreadable(file, error);
  } finally {
    await opened?.close();
  }
}

async function* unpacked(file: string, from: FileHandle): AsyncGenerator<Buffer> {
  const packed = createReadStream(file, { fd: from, autoClose: false, highWaterMark: PIECE });
  // The callback is the stream's own error, which the loop throws.
  for await (const piece of pipeline(packed, createGunzip({ chunkSize: PIECE }), () => undefined)) yield piece as Buffer;
}

/** Decodes UTF-8. A byte order mark is a character like any other: {@link readPieces} drops the one that begins a file. */
export function decodeText(bytes: Uint8Array, place: string): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new InputError(`Expected UTF-8 text in ${place} but received bytes that are not; convert the file first`);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The lines of a text with their numbers, one at a time: a list of very many short lines may not fit in memory. */
export function* linesOf(text: string): Generator<readonly [line: string, number: number]> {
  for (let start = 0, number = 1; start <= text.length; number++) {
    const newline = text.indexOf("\n", start);
    const end = newline < 0 ? text.length : newline;
    yield [text.slice(start, end), number];
    start = end + 1;
  }
}
