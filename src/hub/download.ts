/**
 * One file from the hub into the cache's blobs. @huggingface/hub's `downloadFileToCacheDir` is not used: it begins anew
 * after a break, compares no digest, lets two writers share one file, and writes to stdout.
 *
 * The bytes go to `<digest>.<host>.<pid>-<thread>.incomplete` next to the blob; that file is renamed to the blob
 * when its digest is right. A writer that fails leaves `<digest>.incomplete`; that, or the file of a writer that has ended,
 * is taken up by the next one. While another process is writing, we wait for it.
 */

import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { threadId } from "node:worker_threads";
import { flushFolder, writeAll } from "../base/files/wholeFiles";
import { isRunning } from "../base/processes";
import { sizeOf } from "./cache";
import { HubError } from "./errors";
import { type HubClient, Passing, Retries, read } from "./http";
import type { RepoFile } from "./repo";

/** A writer is at work when its file has changed within this time. */
const IDLE_MS = 60_000;
/** The same for a writer that seems to have ended: it may run in another container with the same host name. */
const GONE_MS = 2_000;
const POLL_MS = 250;
const CHUNK = 1 << 20;
/** Bytes that an attempt must receive for its failure not to count as one more in a row. */
const PROGRESS = 64 << 10;

const host = hostname().replace(/[^\w-]/g, "_");

export interface BlobTarget {
  /** Where the bytes go; the folder is there. */
  readonly blob: string;
  readonly commit: string;
  readonly file: RepoFile;
  /** Told how many bytes of the file are there. */
  readonly onBytes: (bytes: number) => void;
}

/** One at a time for each blob of this process. */
const turns = new Map<string, Promise<void>>();

/** Fetches a blob unless it is there. */
export async function fetchBlob(client: HubClient, target: BlobTarget): Promise<void> {
  const { blob } = target;
  const before = turns.get(blob);
  const turn = (before ?? Promise.resolve()).catch(() => undefined).then(() => fetchInTurn(client, target));
  turns.set(blob, turn);
  try {
    await turn;
  } finally {
    if (turns.get(blob) === turn) turns.delete(blob);
  }
}

async function fetchInTurn(client: HubClient, target: BlobTarget): Promise<void> {
  client.signal.throwIfAborted();
  const { blob, file, onBytes } = target;
  const own = `${blob}.${host}.${process.pid}-${threadId}.incomplete`;
  for (;;) {
    if ((await sizeOf(blob)) === file.size) return onBytes(file.size);
    const other = await claim(blob, own);
    if (!other) break;
    onBytes(Math.min((await sizeOf(other)) ?? 0, file.size));
    await sleep(POLL_MS, undefined, { signal: client.signal });
  }
  try {
    await write(client, target, own);
    await rename(own, blob);
    await flushFolder(dirname(blob));
    onBytes(file.size);
  } catch (error) {
    if (await sizeOf(own)) await rename(own, `${blob}.incomplete`);
    else await rm(own, { force: true });
    throw error;
  }
}

/** Makes what an earlier writer has left our own; or returns the file of one that is at work. */
async function claim(blob: string, own: string): Promise<string | undefined> {
  const folder = dirname(blob);
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${basename(blob)}.`)) continue;
    const file = join(folder, name);
    if (file === own) return undefined;
    const rest = name.slice(basename(blob).length);
    const owner = /^\.([\w-]+)\.(\d+)-\d+\.incomplete$/.exec(rest);
    if (!owner && rest !== ".incomplete") continue;
    const isGone = owner?.[1] === host && !isRunning(Number(owner[2]));
    if (owner && (await isFresh(file, isGone ? GONE_MS : IDLE_MS))) return file;
    if (owner && !isGone) continue;
    if (
      await rename(file, own).then(
        () => true,
        () => false,
      )
    )
      return undefined; // else another was faster
  }
  return undefined;
}

async function isFresh(file: string, ms: number): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs < ms;
}

/** Fills the file from where it ends, and compares the digest of the whole. */
async function write(client: HubClient, target: BlobTarget, own: string): Promise<void> {
  const { file } = target;
  const handle = await open(own, constants.O_RDWR | constants.O_CREAT);
  try {
    const found = await receive(client, target, handle, true);
    if (found.digest === file.digest) return await handle.sync();
    // What an earlier run left may be damaged by a power cut; what came just now is what the server sends.
    const again = found.resumed ? await receive(client, target, handle, false) : found;
    if (again.digest === file.digest) return await handle.sync();
    await rm(own);
    throw new HubError(
      `Expected the digest ${file.digest} for ${file.path} of ${client.page} ` +
        `but received bytes with ${again.digest}; ` +
        "they are removed. Try again; if it stays so, the server or a proxy changes the file",
      "corrupt",
    );
  } finally {
    await handle.close();
  }
}

async function receive(
  client: HubClient,
  { commit, file, onBytes }: BlobTarget,
  handle: FileHandle,
  resume: boolean,
): Promise<{ digest: string; resumed: boolean }> {
  const { size } = await handle.stat();
  let at = resume && size <= file.size ? size : 0;
  const resumed = at > 0;
  await handle.truncate(at);
  let hash = await hashOf(handle, file, at);
  onBytes(at);

  const retries = new Retries(client.signal);
  let furthest = at;
  while (at < file.size) {
    try {
      const { first, response } = await client.file(commit, file.path, at);
      if (first !== at) {
        at = 0;
        hash = await hashOf(handle, file, 0);
      }
      await read(response, async (chunk) => {
        client.signal.throwIfAborted();
        if (at + chunk.length > file.size)
          throw new HubError(`Expected ${file.size} bytes for ${file.path} of ${client.page} but received more`, "corrupt");
        await writeAll(handle, chunk, at);
        hash.update(chunk);
        at += chunk.length;
        onBytes(at);
      });
      if (at < file.size) throw new Passing("the connection ended early");
    } catch (error) {
      if (at >= furthest + PROGRESS) {
        retries.succeeded();
        furthest = at;
      }
      if (error instanceof Passing)
        error.message =
          `${file.path} of ${client.page} stopped after ${at} of ${file.size} bytes: ${error.message}. ` +
          "What has come stays in the cache, and the next run goes on from there";
      await retries.failed(error);
    }
  }
  return { digest: hash.digest("hex"), resumed };
}

/** The digest of the file's first bytes, to continue from. git's begins with the kind and size of the whole. */
async function hashOf(handle: FileHandle, { digest, size }: RepoFile, bytes: number): Promise<Hash> {
  const hash = digest.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
  const buffer = Buffer.alloc(Math.min(CHUNK, bytes));
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(CHUNK, bytes - at), at);
    if (bytesRead === 0) throw new Error("Expected to read what was written but the file has become shorter");
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash;
}
