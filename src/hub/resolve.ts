/**
 * From a name to a folder on this disk. A repository of the hub is fetched into the cache as far as it is not there;
 * when the hub cannot be asked, what the cache has of it serves.
 */

import { readdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../base/files/wholeFiles";
import { checkOptions } from "../base/options";
import { sum } from "../base/samples";
import { printable } from "../base/terminal/printable";
import { danglingTarget, RepoCache, sizeOf } from "./cache";
import { fetchBlob } from "./download";
import { HubError } from "./errors";
import { HubClient, hubSettings } from "./http";
import { bytes, DownloadProgress } from "./progress";
import { type Listing, listRepo, type RepoFile } from "./repo";
import { checkSelected, type Files, parseName, type RepoKind, type Selection, selection } from "./request";

export interface ResolveOptions {
  /** A branch, a tag or a commit; `main` when neither this nor the name says. */
  revision?: string | undefined;
  /** Default "model". */
  kind?: RepoKind;
  /**
   * Which files are wanted: patterns as Python's `fnmatch` takes them, such as `"*Q8_0.gguf"`, or what makes up the
   * tokenizer or an adapter. Left out, a model's config, tokenizer and weights, or a data set's JSONL, JSON and Parquet
   * files.
   */
  files?: Files;
  signal?: AbortSignal;
  /** Told how many bytes of the wanted files are there. Left out, a bar is shown on stderr. */
  onProgress?: (done: number, total: number) => void;
}

const OPTIONS = ["revision", "kind", "files", "signal", "onProgress"];
const AT_ONCE = 4;

/**
 * The folder of a model or data set. A name that is there on the disk, or looks like a path (begins with `.`, `/` or
 * `~`, has two slashes, ends like a file), is returned as it is; `owner/name` or `name`, with `@revision` if need be,
 * is a repository on the hub. It is kept in the cache of huggingface_hub and found there by Python too. HF_HOME,
 * HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE mean what they mean there.
 *
 * ```ts
 * const folder = await resolveFolder("HuggingFaceTB/SmolLM2-135M-Instruct");
 * const data = await resolveFolder("owner/pairs@v1.0", { kind: "dataset", files: ["*.parquet"] });
 * ```
 *
 * @throws HubError when there is no such repository or revision, it may not be read, has none of the wanted files, cannot
 * be reached and is not in the cache, does not fit on the disk, or arrives damaged
 */
export async function resolveFolder(nameOrFolder: string, options: ResolveOptions = {}): Promise<string> {
  checkOptions("resolveFolder", options, OPTIONS);
  const { kind = "model", files, signal } = options;
  if (kind !== "model" && kind !== "dataset")
    throw new TypeError(`Expected "model" or "dataset" for 'kind' but received ${String(kind)}`);
  const name = parseName(nameOrFolder, options.revision);
  if ("path" in name) return name.path;

  const stop = new AbortController();
  const settings = hubSettings();
  const client = new HubClient(
    settings,
    kind,
    name.id,
    name.revision ?? "main",
    AbortSignal.any(signal ? [signal, stop.signal] : [stop.signal]),
  );
  const job: Job = {
    name: name.revision === undefined ? name.id : `${name.id}@${name.revision}`,
    client,
    cache: new RepoCache(settings.cache, kind, name.id),
    select: selection(kind, files),
    files,
    stop,
    onProgress: options.onProgress,
  };
  try {
    return settings.offline ? cached(job, `${settings.offline} is set`) : await current(job);
  } catch (error) {
    signal?.throwIfAborted();
    const { syscall, message } = error as NodeJS.ErrnoException;
    if (syscall === undefined) throw error; // those of the network have become HubErrors
    throw new HubError(
      `${job.name} cannot be kept in the cache ${settings.cache} (HF_HUB_CACHE or HF_HOME move it): ${message}`,
      "disk",
      { cause: error },
    );
  }
}

/** What is wanted, and how it is had. */
interface Job {
  readonly name: string;
  readonly client: HubClient;
  readonly cache: RepoCache;
  readonly select: Selection;
  readonly files: Files | undefined;
  /** Ends what is under way when one file has failed. */
  readonly stop: AbortController;
  readonly onProgress: ResolveOptions["onProgress"];
}

/** What the cache has, without the network; `why` not. */
function cached({ name, client, cache, select, files: wanted }: Job, why: string): string {
  const { settings, kind, revision } = client;
  const offline = (what: string) =>
    new HubError(`Expected ${name} in the cache ${settings.cache}, since ${why}, but ${what}`, "offline");
  const snapshot = cache.snapshot(revision);
  if (!snapshot)
    throw new HubError(
      `${expectedThere(name, kind, wanted)}: there is no such folder, and the hub is not contacted, since ${why}; it ` +
        `is not in the cache ${settings.cache} either`,
      "offline",
    );
  const { folder, files } = snapshot;
  const selected = select(files);
  try {
    checkSelected(name, kind, files, selected, wanted);
  } catch (error) {
    throw offline(`only a part of it is there. ${(error as Error).message}`);
  }
  for (const file of selected) {
    const target = danglingTarget(join(folder, file));
    if (target) throw offline(`${join(folder, file)} leads to nothing: ${target} is gone. Fetch it again with the hub in reach`);
  }
  return folder;
}

/** Names of which was said that they come from the cache. */
const noted = new Set<string>();

/** What the hub has now, or, when it cannot say, what the cache has. */
async function current(job: Job): Promise<string> {
  const { client, cache, name } = job;
  const isCached = () => cache.snapshot(client.revision) !== undefined;
  let listing: Listing;
  try {
    // Two tries, not more, when there is another way: the first may have met a kept connection that has gone stale.
    listing = await listRepo(client, isCached() ? 2 : undefined);
  } catch (error) {
    if (!(error instanceof HubError) || error.reason === "revision") throw error;
    // An error without a cause means that the server was reached and its answer is the problem.
    if (!isCached()) throw error.reason === "unreachable" && error.cause !== undefined ? nowhere(job, error) : error;
    const folder = cached(job, error.message);
    if (!noted.has(name))
      process.stderr.write(`smaug: ${printable(error.message)}; ${name} is taken from the cache as it was last seen\n`);
    noted.add(name);
    return folder;
  }
  await fetchSnapshot(job, listing);
  return cache.snapshotFolder(listing.commit);
}

function expectedThere(name: string, kind: RepoKind, files: Files | undefined): string {
  const what = files === "adapter" ? "an adapter" : `a ${kind}`;
  return `Expected an existing folder, or ${what} on the hub, but received '${name}'`;
}

/** The error for a name that is neither a local folder nor in the cache, when the hub cannot be reached. */
function nowhere({ name, files, client: { kind, settings } }: Job, error: HubError): HubError {
  const why = error.message.replace(`${settings.endpoint} cannot be reached`, settings.endpoint);
  return new HubError(
    `${expectedThere(name, kind, files)}: there is no such folder, and the hub cannot be reached (${why})`,
    error.reason,
    { cause: error },
  );
}

/**
 * Fetches what is missing. Links and the reference to the commit come last: a download that was broken off leaves
 * blobs, but never a snapshot that looks complete, and an older snapshot stays the known one.
 */
async function fetchSnapshot(job: Job, { commit, files }: Listing): Promise<void> {
  const { name, client, cache, select } = job;
  const paths = [...files.keys()];
  const selected = select(paths);
  checkSelected(name, client.kind, paths, selected, job.files);
  const wanted = selected.map((path) => files.get(path)!);
  const missing: RepoFile[] = [];
  for (const file of wanted) if (!(await cache.has(commit, file.path, file.size))) missing.push(file);
  await fetchBlobs(job, commit, missing);
  for (const { path, digest } of missing) await cache.link(commit, path, digest);
  await cache.setRef(client.revision, commit);
}

async function fetchBlobs(job: Job, commit: string, files: readonly RepoFile[]): Promise<void> {
  const { name, client, cache, stop, onProgress } = job;
  const absent = new Map<string, RepoFile>(); // by digest: a repository may hold the same bytes twice
  for (const file of files) if ((await sizeOf(cache.blob(file.digest))) !== file.size) absent.set(file.digest, file);
  if (absent.size === 0) return;
  makeFolder(cache.blobs);
  await checkRoom(name, cache.blobs, absent);

  const total = sum([...absent.values()].map(({ size }) => size));
  const bar = onProgress || !client.settings.showProgress ? undefined : new DownloadProgress(name);
  const there = new Map<string, number>();
  const report = (digest: string, count: number) => {
    there.set(digest, count);
    const done = sum([...there.values()]);
    if (onProgress) onProgress(done, total);
    else bar?.update(done, total);
  };

  const queue = [...absent.values()];
  const work = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) {
      const { digest } = file;
      await fetchBlob(client, { blob: cache.blob(digest), commit, file, onBytes: (count) => report(digest, count) });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, () => work().catch((error: unknown) => stop.abort(error))));
  if (stop.signal.aborted) bar?.stop();
  else bar?.finish(total);
  stop.signal.throwIfAborted();
}

/** Throws when the disk has no room for what is still to come. */
async function checkRoom(name: string, folder: string, files: ReadonlyMap<string, RepoFile>): Promise<void> {
  const partial = new Map<string, number>();
  for (const entry of await readdir(folder)) {
    const digest = entry.split(".")[0]!;
    if (entry.endsWith(".incomplete") && files.has(digest))
      partial.set(digest, Math.max(partial.get(digest) ?? 0, (await sizeOf(join(folder, entry))) ?? 0));
  }
  const needed = sum([...files.values()].map(({ digest, size }) => Math.max(size - (partial.get(digest) ?? 0), 0)));
  const { bavail, bsize, blocks } = await statfs(folder);
  if (blocks === 0 || needed <= bavail * bsize) return; // some network file systems do not say
  throw new HubError(
    `Expected ${bytes(needed)} of free disk space for ${name} in ${folder} but there are ${bytes(bavail * bsize)}. ` +
      "Set HF_HUB_CACHE or HF_HOME to a folder on a larger disk",
    "disk",
  );
}
