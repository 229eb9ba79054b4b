/**
 * Which files of a repository are needed. Of a model: config, tokenizer, chat templates and one set of weights, the
 * safetensors; not the same weights again as .bin, .pt, ONNX or in Mistral's `consolidated` form.
 */
import { listed } from "../base/values";
import { HubError } from "./errors";
import type { RepoKind } from "./names";

/** Patterns; or the files that `loadTokenizer` reads, or `loadAdapter`. */
export type Files = readonly string[] | "tokenizer" | "adapter";

const TOKENIZER_FILES = [
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
const ADAPTER_FILES = [ADAPTER_CONFIG, "adapter_model.safetensors", ...TOKENIZER_FILES];
/** The endings of data files, in any case. */
export const DATA_ENDINGS = [".jsonl", ".jsonl.gz", ".ndjson", ".json", ".json.gz", ".parquet"] as const;
const DATASET_FILES = [...DATA_ENDINGS.map((ending) => `*${ending}`), "README.md"];

/** The texts of a model folder; the last ones are not read, but belong to a copy of it. */
const MODEL_TEXTS = [...TOKENIZER_FILES, ADAPTER_CONFIG, "config.json", "vocab.json", "merges.txt", "vocab.txt", "spiece.model"];

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
  if (typeof files === "string") return files === "tokenizer" ? TOKENIZER_FILES : ADAPTER_FILES;
  return files;
}

/** A GGUF file has its tokenizer in it. */
function selectTokenizer(paths: readonly string[]): string[] {
  const files = matching(paths, [...TOKENIZER_FILES, ADAPTER_CONFIG]);
  if (files.some((file) => /^tokenizer\.(json|model)$/.test(file) || file === ADAPTER_CONFIG)) return files;
  return [...files, ...selectWeights(paths).filter(isGguf)];
}

export function isDataFile(path: string): boolean {
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
  const expected = `Expected ${wanted} in ${name}`;
  const pickled = paths.filter(
    (path) => /\.(bin|pt|pth|ckpt)$/.test(path) && !/(^|\/)(training_args|optimizer|scheduler)/.test(path),
  );
  if (pickled.length === 0) return new HubError(`${expected} but received ${listed(paths)}`, "unusable");
  const [id, revision] = name.split("@");
  const source = `'${id}', ${revision ? `revision='${revision}', ` : ""}`;
  return new HubError(
    `${expected} but received only ${listed(pickled)}: such a file can run code when it is opened. ` +
      "Convert it, if you trust it, with\n" +
      (pickled.some((path) => path.startsWith("adapter_model"))
        ? '  python -c "import torch; from huggingface_hub import hf_hub_download as get; ' +
          "from safetensors.torch import save_file; " +
          `save_file(torch.load(get(${source}filename='adapter_model.bin'), weights_only=True), ` +
          `'adapter_model.safetensors')"`
        : '  python -c "from transformers import AutoModelForCausalLM as M; ' +
          `M.from_pretrained(${source}dtype='auto').save_pretrained('${id!.split("/").at(-1)}')"`),
    "unusable",
  );
}
