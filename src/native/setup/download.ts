/**
 * Downloading one file whose size and digest are known. An interrupted download is resumed with a range request, or
 * restarted if the server does not support ranges.
 */
import { statSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import type { ReadableStream } from "node:stream/web";
import { expectDigest } from "../../base/files/checksums";
import type { PinnedArchive } from "./pins";
import type { SetupProgress } from "./report";

/** A host that does not answer in this time counts as unreachable. */
const answerSeconds = 6;
/** A download that receives nothing in this time counts as interrupted. */
const stallSeconds = 30;
/** How often an interrupted download is resumed: in total, and in a row without receiving anything. */
const mostAttempts = 20;
const mostInVain = 3;

/** The server cannot be reached or does not have the file: another source may. */
export class UnreachableError extends Error {
  override name = "UnreachableError";
}

/** The connection broke off after the server had begun to answer: it may be resumed. */
class ConnectionBrokenError extends UnreachableError {}

/** Downloads `archive` to `file` and verifies it. */
export async function download(archive: PinnedArchive, file: string, progress: SetupProgress): Promise<void> {
  let inVain = 0;
  for (let attempt = 1; ; attempt++) {
    const before = sizeOf(file);
    try {
      await receive(archive, file, before, progress);
      break;
    } catch (error) {
      const received = sizeOf(file);
      inVain = received > before ? 0 : inVain + 1;
      if (!(error instanceof ConnectionBrokenError) || attempt >= mostAttempts || inVain >= mostInVain) throw error;
      progress.line(`the connection broke off after ${received} of ${archive.bytes} bytes: ${error.message}; resuming`);
    }
  }
  expectDigest(file, archive.sha256, nameOf(archive));
}

export function nameOf({ url }: PinnedArchive): string {
  return decodeURIComponent(basename(new URL(url).pathname));
}

async function receive(archive: PinnedArchive, file: string, from: number, progress: SetupProgress): Promise<void> {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const expectWithin = (seconds: number, what: string) => {
    clearTimeout(timer);
    timer = setTimeout(() => abort.abort(new Error(`${what} for ${seconds} s`)), seconds * 1000);
  };
  try {
    expectWithin(answerSeconds, "no answer");
    const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
    const response = await reach(() => fetch(archive.url, { signal: abort.signal, headers }), UnreachableError);
    const start = firstByte(response, from);
    const offered = response.headers.get("content-length");
    if (offered !== null && start + Number(offered) !== archive.bytes)
      throw new Error(`${nameOf(archive)}: expected ${archive.bytes} bytes but the server offers ${start + Number(offered)}`);
    let received = start;
    // Each chunk is written before the next is awaited, so that everything received is there to resume from.
    const output = await open(file, start > 0 ? "a" : "w");
    try {
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      for (;;) {
        const { done, value } = await reach(() => reader.read(), ConnectionBrokenError);
        if (done) break;
        received += value.length;
        if (received > archive.bytes) throw new Error(`${nameOf(archive)}: expected ${archive.bytes} bytes but received more`);
        await output.writeFile(value);
        expectWithin(stallSeconds, "no bytes");
        progress.share("fetching libtorch", received, archive.bytes);
      }
    } finally {
      await output.close();
    }
    if (received < archive.bytes) throw new ConnectionBrokenError(`the server sent ${received} of ${archive.bytes} bytes`);
  } finally {
    clearTimeout(timer);
    abort.abort(); // closes the connection if the body was not read to its end
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

async function reach<T>(action: () => Promise<T>, Failure: typeof UnreachableError): Promise<T> {
  try {
    return await action();
  } catch (error) {
    // fetch says "fetch failed" and puts the reason into the cause.
    const { message, cause } = error as Error;
    throw new Failure(cause instanceof Error ? cause.message : message, { cause: error });
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
