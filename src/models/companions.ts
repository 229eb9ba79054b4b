/**
 * The files of a model folder next to config and weights: its tokenizer's, its chat templates, its generation settings.
 * They are located and copied here, not read.
 */
import { readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { expectRegularFile, MAX_INPUT_BYTES, readInput } from "../base/files/inputFiles";
import { hasEntry, isFolder } from "../base/files/paths";
import type { StagedFiles } from "../base/files/wholeFiles";
import { asFolderError, FolderError, filesIn } from "./folder";

export const TEMPLATE_FILE = "chat_template.jinja";

/** The tokenizer's, in every form that transformers writes or reads. */
export const TOKENIZER_FILES: readonly string[] = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "vocab.txt",
  "tokenizer.model",
  "spiece.model",
  TEMPLATE_FILE,
  "chat_template.json",
];
export const TEMPLATE_FOLDER = "additional_chat_templates";
export const GENERATION_FILE = "generation_config.json";

/** Of a model, but not of an adapter. */
export const MODEL_COMPANIONS: ReadonlySet<string> = new Set(["config.json", GENERATION_FILE]);

/** The folder or GGUF file that each kind of companion is read from. */
export interface CompanionPlaces {
  readonly tokenizer: string;
  /** Chat templates in separate files; a template in tokenizer_config.json belongs to the tokenizer. */
  readonly templates: string;
  readonly generation: string;
}

/** A folder with any of these files has a tokenizer. */
const TOKENIZER_MARKS = ["tokenizer.json", "tokenizer_config.json", "tokenizer.model", "spiece.model"];

/**
 * Where the companions of a model with an adapter are. The adapter folder's tokenizer, with its templates, replaces the
 * base's as a whole; a folder with only chat templates adds them to the base's tokenizer.
 */
export function companionPlaces(base: string, adapter?: string): CompanionPlaces {
  const has = (name: string) => adapter !== undefined && hasEntry(join(adapter, name));
  const tokenizer = TOKENIZER_MARKS.some(has) ? adapter! : base;
  const templates = has(TEMPLATE_FILE) || has(TEMPLATE_FOLDER) ? adapter! : tokenizer;
  return { tokenizer, templates, generation: has(GENERATION_FILE) ? adapter! : base };
}

/**
 * Checks that the companion files of a folder can be copied later, when the model is saved.
 *
 * @throws FolderError when one is a pipe, a device, a folder or a broken link, or is too large
 */
export function expectCompanions(folder: string): void {
  const there = new Set(filesIn(folder));
  for (const name of [...TOKENIZER_FILES, GENERATION_FILE]) {
    if (!there.has(name)) continue;
    const path = join(folder, name);
    const { size } = asFolderError(() => expectRegularFile(path, "a file of the model"));
    if (size > MAX_INPUT_BYTES)
      throw new FolderError(`Expected at most ${MAX_INPUT_BYTES} bytes in ${path} but received ${size}`);
  }
}

/**
 * Copies the tokenizer's files, and for a model its generation settings, from where the model and its adapter were loaded.
 * What a GGUF file holds is written by `saveGgufTokenizer`.
 */
export async function stageCompanions(
  staged: StagedFiles,
  { folder, adapterFolder }: { readonly folder: string | undefined; readonly adapterFolder: string | undefined },
  { generation = false } = {},
): Promise<void> {
  if (folder === undefined && adapterFolder === undefined) return;
  const places = companionPlaces(folder ?? adapterFolder!, adapterFolder);
  const templates = join(places.templates, TEMPLATE_FOLDER);
  const files: [from: string, name: string][] = [
    ...TOKENIZER_FILES.filter((name) => name !== TEMPLATE_FILE).map((name): [string, string] => [places.tokenizer, name]),
    ...[TEMPLATE_FILE, ...(isFolder(templates) ? readdirSync(templates).map((file) => `${TEMPLATE_FOLDER}/${file}`) : [])].map(
      (name): [string, string] => [places.templates, name],
    ),
    ...(generation ? [[places.generation, GENERATION_FILE] as [string, string]] : []),
  ];
  const into = realpathSync(staged.folder);
  for (const [from, name] of files) {
    if (!isFolder(from) || realpathSync(from) === into) continue;
    const path = join(from, name);
    if (statSync(path, { throwIfNoEntry: false })?.isFile())
      await staged.add(name, (file) => file.writeFile(readInput(path, "a file of the model")));
  }
}
