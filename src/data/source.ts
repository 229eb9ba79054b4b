/** Records as they stand in a file, each with its place for messages, and what reading a file can fail with. */
import { type ReadStream, createReadStream } from "node:fs";
import { type Readable, pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { InputError } from "../native/errors";

/** One record: not yet judged, but it parses. `place` is such as `'pairs.jsonl', line 3`. */
export interface SourceRecord {
  readonly value: unknown;
  readonly place: string;
}

/**
 * The records of a file, those of a piece at a time: to wait for each alone would take longer than to parse it. Each lot
 * is to be gone through before the next is asked for.
 */
export type Source = AsyncGenerator<Iterable<SourceRecord>>;

/** Why a file cannot be read, by the system's code. */
const REASONS: Record<string, string> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "it may not be read",
};

/** What goes wrong while a file is read, as bad input. */
export function unreadable(file: string, error: unknown): InputError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new InputError(`Expected a data file at '${file}', but ${REASONS[code ?? ""] ?? message}.`, { cause: error });
}

/** The bytes of a file in pieces, unpacked when its name ends with .gz. */
export async function* readPieces(file: string): AsyncGenerator<Buffer> {
  const packed: ReadStream = createReadStream(file, { highWaterMark: 1 << 18 });
  // The callback is the stream's own error, which the loop below throws.
  const bytes: Readable = file.endsWith(".gz") ? pipeline(packed, createGunzip(), () => undefined) : packed;
  try {
    for await (const piece of bytes) yield piece as Buffer;
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Decodes UTF-8, without a byte order mark. */
export function decodeText(bytes: Uint8Array, place: string): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new InputError(`Expected UTF-8 text in ${place}, but found bytes that are not. Convert the file first.`);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A piece of text in a message, cut to fit. */
export const excerpt = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text);
