/**
 * The finished cells of a study in a folder, `cells/NAME.json`. Each file appears whole or not at all, and holds the
 * settings it was made with; what was made with others is as if it were not there. What an interrupted run leaves is
 * therefore always of use.
 */
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeWhole } from "../../base/wholeFiles";
import { packageVersion } from "../../native/paths";
import { versions } from "../../torch";
import { type Cell, cellName, lossOf } from "./plan";
import type { CellResult, Subject } from "./subject";

/** With the seconds it took. */
export type StoredCell = CellResult & { readonly seconds: number };

export class StudyStore {
  constructor(private readonly folder: string, private readonly subject: Subject) {}

  /** Undefined when the cell was not finished with these settings. */
  readCell(cell: Cell): Promise<StoredCell | undefined> {
    return readResult<StoredCell>(this.file(cell), this.settingsOf(cell));
  }

  writeCell(cell: Cell, result: StoredCell): Promise<void> {
    return writeResult(this.file(cell), this.settingsOf(cell), result);
  }

  private file = (cell: Cell): string => join(this.folder, "cells", `${cellName(cell)}.json`);

  private settingsOf(cell: Cell): object {
    return { ...cell, loss: lossOf(cell), ...this.subject.settingsOf(cell.seed, cell.corpus) };
  }
}

/** What a file holds that was written with these settings by this version; undefined otherwise. */
export async function readResult<T>(file: string, settings: object): Promise<T | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const stored = JSON.parse(text) as { settings: object; result: T };
    return JSON.stringify(stored.settings) === JSON.stringify(complete(settings)) ? stored.result : undefined;
  } catch {
    return undefined; // not ours
  }
}

export async function writeResult(file: string, settings: object, result: object): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeWhole(file, `${JSON.stringify({ settings: complete(settings), result }, null, 2)}\n`);
}

const complete = (settings: object) =>
  ({ ...settings, versions: { smaug: packageVersion(), libtorch: versions().compiled } });
