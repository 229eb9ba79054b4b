/**
 * The files of a model folder beside config and weights: what its tokenizer is made of, its chat templates, how to
 * generate. They are not read here, only carried along.
 */
import { readFileSync, readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import type { StagedFiles } from "../base/wholeFiles";
import { GENERATION_FILE, TEMPLATE_FOLDER, TOKENIZER_FILES } from "./companionNames";

/** Copies the tokenizer's files, and for a model how to generate, from the folder it came from, if it is one. */
export async function stageCompanions(
  staged: StagedFiles,
  from: string | undefined,
  { generation = false } = {},
): Promise<void> {
  if (from === undefined || !isFolder(from) || realpathSync(from) === realpathSync(staged.folder)) return;
  const templates = join(from, TEMPLATE_FOLDER);
  const names = [
    ...TOKENIZER_FILES,
    ...(isFolder(templates) ? readdirSync(templates).map((file) => `${TEMPLATE_FOLDER}/${file}`) : []),
    ...(generation ? [GENERATION_FILE] : []),
  ];
  for (const name of names) {
    const path = join(from, name);
    if (statSync(path, { throwIfNoEntry: false })?.isFile())
      await staged.add(name, (file) => file.writeFile(readFileSync(path)));
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
