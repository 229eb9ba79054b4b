/**
 * The files of a model folder beside config and weights: what its tokenizer is made of, its chat templates, how to
 * generate. They are not read here, only carried along.
 */
import { readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { MAX_INPUT_BYTES, expectRegularFile, readInput } from "../base/inputFiles";
import { isFolder } from "../base/paths";
import type { StagedFiles } from "../base/wholeFiles";
import { GENERATION_FILE, TEMPLATE_FOLDER, TOKENIZER_FILES } from "./companionNames";
import { FolderError, asFolderError, filesIn } from "./folderError";

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
      await staged.add(name, (file) => file.writeFile(readInput(path, "a file of the model")));
  }
}
