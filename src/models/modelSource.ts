/**
 * Resolves a model's name: a folder or GGUF file of weights, or an adapter's folder, which means the base model that it
 * names with the adapter on it, as in transformers and PEFT. Does not load libtorch.
 */
import { join } from "node:path";
import { hasEntry, isFolder } from "../base/files/paths";
import { shown } from "../base/values";
import { type Files, HubError, type RepoName, repoName, resolveFolder } from "../hub";
import { FolderError, readJsonObject } from "./folder";

export const ADAPTER_CONFIG_FILE = "adapter_config.json";

/** Where a model's files are on disk. */
export interface ModelSource {
  /** The folder or GGUF file of the base model. */
  readonly base: string;
  /** The base's hub id and revision, if it is from the hub. */
  readonly hub: RepoName | undefined;
  /** The folder of the adapter on top of it. */
  readonly adapter: string | undefined;
}

export interface ModelSourceOptions {
  /** The branch, tag or commit to take from the hub. */
  revision?: string | undefined;
  /** The folder or hub id of an adapter. */
  adapter?: string | undefined;
  /** What to fetch from the hub: everything the model needs, or only what its tokenizer needs. */
  files?: "tokenizer" | undefined;
}

/**
 * Finds a model's files. The base of an adapter is its `base_model_name_or_path`: a path, relative to the current folder
 * as in PEFT, or a hub id. A folder that has both weights and an adapter is the base of that adapter.
 *
 * @throws HubError when something cannot be fetched from the hub
 * @throws FolderError when there is no such folder, an adapter's base cannot be found, or there would be two adapters
 */
export async function resolveModel(name: string, { revision, adapter, files }: ModelSourceOptions = {}): Promise<ModelSource> {
  const found = await resolveFolder(name, { revision, files });
  if (!hasEntry(found)) throw new FolderError(`Expected a model folder at ${found} but there is none`);
  const hub = repoName(name, revision);
  if (!isAdapter(found)) return { base: found, hub, adapter: adapter === undefined ? undefined : await resolveAdapter(adapter) };

  if (adapter !== undefined)
    throw new FolderError(
      `Expected a base model for the adapter ${adapter} but received ${name}, which is an adapter itself; ` +
        "name the base model, or only one of the two adapters",
    );
  if (hub === undefined && hasEntry(join(found, "config.json"))) return { base: found, hub, adapter: found };
  const json = readAdapterJson(found);
  const base = baseNameOf(found, json);
  const baseRevision = typeof json["revision"] === "string" ? json["revision"] : undefined;
  const folder = await resolveBase(base, baseRevision, found, files);
  if (isAdapter(folder))
    throw new FolderError(
      `Expected a model without an adapter for the base of ${found} but received ${base}, which is an adapter itself; ` +
        "merge that one into its model first",
    );
  return { base: folder, hub: repoName(base, baseRevision), adapter: found };
}

/** The folder of an adapter, fetched from the hub if necessary. */
export async function resolveAdapter(name: string, revision?: string): Promise<string> {
  const folder = await resolveFolder(name, { revision, files: "adapter" });
  if (hasEntry(folder)) return folder;
  throw new FolderError(`Expected an adapter's folder at ${folder} but there is none`);
}

/** The contents of an adapter folder's `adapter_config.json`, unchecked. */
export function readAdapterJson(folder: string): Record<string, unknown> {
  const path = join(folder, ADAPTER_CONFIG_FILE);
  if (hasEntry(path)) return readJsonObject(path, "an adapter's configuration");
  const found = hasEntry(join(folder, "config.json")) ? "a model folder" : "none";
  throw new FolderError(`Expected an adapter, with ${ADAPTER_CONFIG_FILE}, in ${folder} but received ${found}`);
}

/** The name of the model that the adapter in a folder was made for. */
function baseNameOf(folder: string, json = readAdapterJson(folder)): string {
  const { base_model_name_or_path: base } = json;
  if (typeof base === "string" && base !== "") return base;
  throw new FolderError(
    `Expected the name of the base model for 'base_model_name_or_path' in ${join(folder, ADAPTER_CONFIG_FILE)} but ` +
      `received ${shown(base)}; name the base as the model, and ${folder} as its adapter`,
  );
}

/**
 * The base of an adapter's folder that is given as a model, used to check that no output replaces it. Undefined if the
 * name is not an adapter's folder (but a folder with weights or a hub id), or the adapter names no base.
 */
export function localBaseOf(name: string): string | undefined {
  if (!isAdapter(name) || hasEntry(join(name, "config.json"))) return undefined;
  const { base_model_name_or_path: base } = readAdapterJson(name);
  return typeof base === "string" && base !== "" ? base : undefined;
}

async function resolveBase(name: string, revision: string | undefined, adapter: string, files?: Files): Promise<string> {
  const wayOut = `(paths are relative to the current folder, ${process.cwd()}); name the base as the model, and ${adapter} as its adapter`;
  let folder: string;
  try {
    folder = await resolveFolder(name, { revision, files });
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    throw new HubError(`The adapter in ${adapter} names ${name} as its base. ${error.message} ${wayOut}`, error.reason, {
      cause: error,
    });
  }
  if (hasEntry(folder)) return folder;
  throw new FolderError(`Expected the base of the adapter in ${adapter} at ${name} but there is no such folder ${wayOut}`);
}

/** Whether a local path is an adapter's folder. */
export function isAdapter(path: string): boolean {
  return isFolder(path) && hasEntry(join(path, ADAPTER_CONFIG_FILE));
}
