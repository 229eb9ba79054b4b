/**
 * What is asked of the hub: a repository by its name, and which of its files.
 *
 * A name is a file or folder on this disk, or a repository on the hub, `owner/name` or `gpt2`, with `@revision` where it
 * is not to be `main`. What exists on the disk wins, as in transformers. Of a model, the config, tokenizer, chat templates
 * and one set of weights are needed, the safetensors; not the same weights again as .bin, .pt, ONNX or in Mistral's
 * `consolidated` form.
 */
import { existsSync } from "node:fs";
import { expandHome } from "../base/files/paths";
import { listed, received } from "../base/values";
import { HubError } from "./errors";
import { convertAdapter, convertModel, pickledMessage, pickledWeights } from "./pickles";

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

/** Patterns; or the files that `loadTokenizer` reads, or `loadAdapter`. */
export type Files = readonly string[] | "tokenizer" | "adapter";

const TOKENIZER_PATTERNS = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "generation_config.json",
  "chat_template.jinja",
  "chat_template.json",
  "additional_chat_templates/*.jinja",
  "tokenizer.model",
];
/** Marks the repository as an adapter; the missing files are in its base. */
const ADAPTER_CONFIG = "adapter_config.json";
/** An adapter may bring its own tokenizer. */
const ADAPTER_FILES = [ADAPTER_CONFIG, "adapter_model.safetensors", ...TOKENIZER_PATTERNS];
/** The endings of data files, in any case. */
export const DATA_ENDINGS = [".jsonl", ".jsonl.gz", ".ndjson", ".json", ".json.gz", ".parquet"] as const;
const DATASET_FILES = [...DATA_ENDINGS.map((ending) => `*${ending}`), "README.md"];

/** The texts of a model folder; the last ones are not read, but belong to a copy of it. */
const MODEL_TEXTS = [
  ...TOKENIZER_PATTERNS,
  ADAPTER_CONFIG,
  "config.json",
  "vocab.json",
  "merges.txt",
  "vocab.txt",
  "spiece.model",
];

const SHARD = /^model-\d+-of-\d+\.safetensors$/;

/** Chooses among a repository's files. */
export type Selection = (paths: readonly string[]) => string[];

/** The files that are wanted, or those a model or data set needs when none are named. */
export function selection(kind: RepoKind, files?: Files): Selection {
  if (files === "tokenizer") return selectTokenizer;
  if (files === undefined && kind === "model") return (paths) => [...matching(paths, MODEL_TEXTS), ...selectWeights(paths)];
  if (files === undefined) return (paths) => paths.filter((path) => path === "README.md" || isDataFile(path));
  return (paths) => matching(paths, patternsOf(files));
}

function patternsOf(files: Files | undefined): readonly string[] {
  if (files === undefined) return DATASET_FILES;
  if (typeof files === "string") return files === "tokenizer" ? TOKENIZER_PATTERNS : ADAPTER_FILES;
  return files;
}

/** A GGUF file has its tokenizer in it. */
function selectTokenizer(paths: readonly string[]): string[] {
  const files = matching(paths, [...TOKENIZER_PATTERNS, ADAPTER_CONFIG]);
  if (files.some((file) => /^tokenizer\.(json|model)$/.test(file) || file === ADAPTER_CONFIG)) return files;
  return [...files, ...selectWeights(paths).filter(isGguf)];
}

function isDataFile(path: string): boolean {
  const lower = path.toLowerCase();
  return DATA_ENDINGS.some((ending) => lower.endsWith(ending));
}

const isGguf = (file: string) => file.endsWith(".gguf");

function selectWeights(paths: readonly string[]): string[] {
  const files = paths.filter((path) => !path.includes("/"));
  const tensors = files.filter((file) => file.endsWith(".safetensors"));
  if (tensors.length === 0) return files.filter(isGguf);
  if (tensors.includes("model.safetensors")) return ["model.safetensors"];
  const shards = tensors.filter((file) => SHARD.test(file));
  if (shards.length === 0) return tensors;
  return [...shards, ...files.filter((file) => file === "model.safetensors.index.json")];
}

/** As Python's `fnmatch` on the whole path: `*` and `?` take slashes too, `[ab]` and `[!ab]` are choices. */
function matching(paths: readonly string[], patterns: readonly string[]): string[] {
  const expressions = patterns.map((pattern) => {
    const source = pattern.replace(/\*+|\?|\[!?\]?[^\]]*\]|[.+^${}()|\\[\]]/g, expressionOf);
    return new RegExp(`^${source}$`, "s");
  });
  return paths.filter((path) => expressions.some((expression) => expression.test(path)));
}

function expressionOf(part: string): string {
  if (part.startsWith("*")) return ".*";
  if (part === "?") return ".";
  const [, not, choices] = /^\[(!?)(.+)\]$/s.exec(part) ?? [];
  if (choices === undefined) return `\\${part}`;
  const ranges = choices.replace(/(.)-(.)/gs, (range, first: string, last: string) => (first > last ? "" : range));
  return `[${not ? "^" : ""}${ranges.replace(/[\\\]^[]/g, "\\$&")}]`;
}

/** Throws when `selected`, of a repository with the files `paths`, cannot be what is wanted. */
export function checkSelected(
  name: string,
  kind: RepoKind,
  paths: readonly string[],
  selected: readonly string[],
  files?: Files,
): void {
  checkGguf(name, selected, files);
  const expected = files === "adapter" ? "adapter_model.safetensors" : "*.safetensors";
  const wantsWeights = files === "adapter" || (files === undefined && kind === "model");
  if (wantsWeights && !selected.some((file) => file.endsWith(".safetensors") || isGguf(file)))
    throw whyNoWeights(name, paths, expected);
  if (selected.length > 0) return;
  const wanted = patternsOf(files).join(", ");
  throw new HubError(`Expected files like ${wanted} in ${name} but received ${listed(paths)}`, "unusable");
}

function checkGguf(name: string, selected: readonly string[], files?: Files): void {
  // A split file, -00001-of-00003.gguf, is one choice.
  const choices = new Set(selected.filter(isGguf).map((file) => file.replace(/-\d+-of-\d+(?=\.gguf$)/, "")));
  if (choices.size <= 1 || Array.isArray(files)) return;
  throw new HubError(
    `Expected one set of weights in ${name} but received ${choices.size}: ${listed([...choices])}. ` +
      `Fetch one of them with \`resolveFolder("${name}", { files: [...] })\`, and load that file`,
    "unusable",
  );
}

function whyNoWeights(name: string, paths: readonly string[], wanted: string): HubError {
  const expected = `${wanted} in ${name}`;
  const pickled = pickledWeights(paths);
  if (pickled.length === 0) return new HubError(`Expected ${expected} but received ${listed(paths)}`, "unusable");
  const [id, revision] = name.split("@");
  const source = `'${id}'${revision ? `, revision='${revision}'` : ""}`;
  const program = pickled.some((path) => path.startsWith("adapter_model"))
    ? "from huggingface_hub import hf_hub_download as get; " +
      convertAdapter(`get(${source}, filename='adapter_model.bin')`, "adapter_model.safetensors")
    : convertModel(source, id!.split("/").at(-1)!);
  return new HubError(pickledMessage(expected, `only ${listed(pickled)}`, program), "unusable");
}
