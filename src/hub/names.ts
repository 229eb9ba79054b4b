/**
 * Names as users write them: a file or folder on this disk, or a repository on the hub, `owner/name` or `gpt2`, with
 * `@revision` where it is not to be `main`. What exists on the disk wins, as in transformers.
 */
import { existsSync } from "node:fs";
import { expandHome } from "../base/files/paths";
import { received } from "../base/received";
import { HubError } from "./errors";

export type RepoKind = "model" | "dataset";

export interface RepoName {
  readonly id: string;
  /** A branch, a tag or a commit; undefined when none is named. */
  readonly revision: string | undefined;
}

/** The rules of huggingface_hub (`_validators.py`). `--` separates owner and name in the cache. */
const ID = /^(?:\w(?:[\w.-]{0,94}\w)?\/)?\w(?:[\w.-]{0,94}\w)?$/;
const NOT_IN_ID = /--|\.\.|\.git$/;
/** git's rules for names of references (`git check-ref-format`): they make a revision safe as a path in the cache. */
const NOT_IN_REVISION = /[\0-\x20~^:?*[\\\x7f]|\.\.|@\{|^\/|\/$|\/\/|(?:^|\/)\.|\.(?:$|\/|lock$)/;
const FILE = /\.(?:safetensors|gguf|bin|pth?|jsonl?|ndjson|jsonl?\.gz|parquet|csv|tsv|txt|ya?ml)$/i;

/** Tells a path from a repository. What looks like a path is one, whether it is there or not. */
export function parseName(name: string, revision?: string): { path: string } | RepoName {
  if (typeof name !== "string") throw new TypeError(`Expected a folder or a hub id but received ${received(name)}`);
  const path = expandHome(name);
  if (existsSync(path)) return { path };
  const at = name.indexOf("@");
  const id = at < 0 ? name : name.slice(0, at);
  const suffix = at < 0 ? undefined : name.slice(at + 1);
  if (/^[./~]/.test(name) || /\/$/.test(id) || id.split("/").length > 2 || FILE.test(id)) return { path };

  if (!ID.test(id) || NOT_IN_ID.test(id))
    throw new HubError(
      `Expected an existing folder, or a hub id such as owner/name, but received ${JSON.stringify(name)}`,
      "name",
    );
  if (suffix !== undefined && revision !== undefined && suffix !== revision)
    throw new HubError(`Expected one revision of ${id} but received '${suffix}' and '${revision}'`, "name");
  const chosen = suffix ?? revision;
  if (chosen !== undefined && (chosen === "" || NOT_IN_REVISION.test(chosen)))
    throw new HubError(
      `Expected a branch, a tag or a commit for the revision of ${id} but received ${JSON.stringify(chosen)}`,
      "name",
    );
  return { id, revision: chosen };
}

/** What a name is on the hub; undefined when it is a path. */
export function repoName(name: string, revision?: string): RepoName | undefined {
  const parsed = parseName(name, revision);
  return "path" in parsed ? undefined : parsed;
}
