/**
 * What a repository holds at a revision: its commit and files. The hub's API through @huggingface/hub; what it says is
 * checked before any of it becomes a path.
 */
import type { ListFileEntry } from "@huggingface/hub";
import { COMMIT } from "./cache";
import { HubError } from "./errors";
import type { HubClient } from "./http";

export interface RepoFile {
  readonly path: string;
  readonly size: number;
  /**
   * What the file is named by in the cache, and what its bytes are checked against: SHA-256 for a file in LFS or Xet
   * storage, else git's SHA-1 of the blob. The hub sends the same as ETag.
   */
  readonly digest: string;
}

export interface Listing {
  readonly commit: string;
  readonly files: ReadonlyMap<string, RepoFile>;
}

/** Hugging Face recommends fewer than 100,000 files per repository. */
const MAX_FILES = 500_000;

/** Asks the hub. `tries` is how often each question may fail. */
export async function listRepo(client: HubClient, tries?: number): Promise<Listing> {
  const { listFiles, modelInfo, datasetInfo } = await import("@huggingface/hub");
  const { id, kind, revision } = client;
  const shared = { hubUrl: client.settings.endpoint, fetch: client.apiFetch(tries) };
  try {
    const info = kind === "model" ? modelInfo<"sha"> : datasetInfo<"sha">;
    const commit = COMMIT.test(revision)
      ? revision
      : String((await info({ ...shared, name: id, revision, additionalFields: ["sha"] })).sha);
    if (!COMMIT.test(commit)) throw new SyntaxError(`'${commit}' for a commit`);
    const files = new Map<string, RepoFile>();
    const repo = { type: kind, name: id };
    for await (const entry of listFiles({ ...shared, repo, revision: commit, recursive: true })) {
      if (typeof entry !== "object" || entry === null) throw new SyntaxError(`${JSON.stringify(entry)} for a file`);
      if (entry.type !== "file") continue;
      if (files.size === MAX_FILES) throw new SyntaxError(`more than ${MAX_FILES} files`);
      files.set(entry.path, fileOf(entry));
    }
    return { commit, files };
  } catch (error) {
    if (error instanceof HubError || client.signal.aborted) throw error;
    // The package fails with arbitrary TypeErrors on an answer of another form.
    const found = error instanceof TypeError && !("code" in error) ? "its JSON has another form" : (error as Error).message;
    throw new HubError(
      `${client.settings.endpoint} does not answer as a Hugging Face hub does: ${found}; asked for ${client.page}`,
      "unreachable",
      { cause: error },
    );
  }
}

/** Backslashes and control characters. */
const UNSAFE = /[\0-\x1f\x7f-\x9f\\]/;

/** A file of a listing, checked. */
function fileOf({ path, size: listed, oid, lfs }: ListFileEntry): RepoFile {
  const [size, digest] = [lfs?.size ?? listed, lfs?.oid ?? oid ?? ""];
  const parts = typeof path === "string" ? path.split("/") : [];
  if (parts.length === 0 || parts.some((part) => part === "" || part === "." || part === ".." || UNSAFE.test(part)))
    throw new SyntaxError(`${JSON.stringify(path)} for the path of a file`);
  if (!Number.isSafeInteger(size) || size < 0) throw new SyntaxError(`${String(size)} for the size of ${path}`);
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(digest)) throw new SyntaxError(`'${digest}' for the digest of ${path}`);
  return { path, size, digest };
}
