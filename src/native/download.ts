/**
 * Downloading one file whose size and digest are known. A connection that breaks is taken up where it broke, by a range
 * request, or from the start where the server does not know ranges.
 */
import { once } from "node:events";
import { createWriteStream, statSync } from "node:fs";
import { basename } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { expectDigest } from "./digest";
import type { PinnedArchive } from "./pins";
import type { Progress } from "./progress";

/** A host that does not answer in this time is out of reach. */
const answerSeconds = 6;
/** A download without a byte in this time has broken off. */
const stallSeconds = 30;
/** How often a broken connection is taken up: in all, and in a row without a further byte. */
const mostAttempts = 20;
const mostInVain = 3;

/** The server cannot be reached or does not have the file: another source may. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
}

/** Downloads `archive` to `file` and verifies it. */
export async function download(archive: PinnedArchive, file: string, progress: Progress): Promise<void> {
  let inVain = 0;
  for (let attempt = 1; ; attempt++) {
    const before = sizeOf(file);
    try {
      await receive(archive, file, before, progress);
      break;
    } catch (error) {
      const received = sizeOf(file);
      inVain = received > before ? 0 : inVain + 1;
      // Without a byte it is out of reach. What goes wrong on our own disk is not the connection's fault.
      const mayResume = error instanceof UnreachableError && received > 0 && attempt < mostAttempts && inVain < mostInVain;
      if (!mayResume) throw error;
      progress.line(`the connection broke off after ${received} of ${archive.bytes} bytes: ${error.message}; resuming`);
    }
  }
  await expectDigest(file, archive.sha256, nameOf(archive));
}

export function nameOf({ url }: PinnedArchive): string {
  return decodeURIComponent(basename(new URL(url).pathname));
}

async function receive(archive: PinnedArchive, file: string, from: number, progress: Progress): Promise<void> {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const expectWithin = (seconds: number, what: string) => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(new Error(`${what} for ${seconds} s`)), seconds * 1000);
  };
  try {
    expectWithin(answerSeconds, "no answer");
    const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
    const response = await reach(() => fetch(archive.url, { signal: abort.signal, headers }));
    const start = firstByte(response, from);
    const offered = response.headers.get("content-length");
    if (offered !== null && start + Number(offered) !== archive.bytes)
      throw new Error(`${nameOf(archive)}: expected ${archive.bytes} bytes but the server offers ${start + Number(offered)}`);
    let received = start;
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        received += chunk.length;
        expectWithin(stallSeconds, "no bytes");
        progress.share("fetching libtorch", received, archive.bytes);
        if (received > archive.bytes) done(new Error(`${nameOf(archive)}: expected ${archive.bytes} bytes but received more`));
        else done(null, chunk);
      },
    });
    const output = createWriteStream(file, { flags: start > 0 ? "a" : "w" });
    try {
      await pipeline(bytesOf(response), count, output);
    } finally {
      if (!output.closed) await once(output, "close"); // a write under way would land behind what is resumed
    }
    if (received < archive.bytes) throw new UnreachableError(`the server sent ${received} of ${archive.bytes} bytes`);
  } finally {
    clearTimeout(timer);
    abort.abort(); // closes the connection where the body was not read to its end
  }
}

/** Where the body of a response begins in the file. */
function firstByte({ ok, status, body, headers }: Response, from: number): number {
  if (!ok || body === null) throw new UnreachableError(`HTTP ${status}`);
  if (status !== 206) return 0;
  const start = Number(/^bytes (\d+)-/.exec(headers.get("content-range") ?? "")?.[1]);
  if (start !== from) throw new UnreachableError(`the server answered with bytes from ${start} instead of ${from}`);
  return start;
}

/** The bytes of a response; what breaks their flow is an {@link UnreachableError}. */
function bytesOf(response: Response): Readable {
  async function* chunks() {
    const reader = Readable.fromWeb(response.body as ReadableStream<Uint8Array>)[Symbol.asyncIterator]();
    for (;;) {
      const { done, value } = await reach(() => reader.next());
      if (done) return;
      yield value as Uint8Array;
    }
  }
  return Readable.from(chunks(), { objectMode: false });
}

async function reach<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    // fetch says "fetch failed" and puts the reason into the cause.
    const { message, cause } = error as Error;
    throw new UnreachableError(cause instanceof Error ? cause.message : message, { cause: error });
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
