/**
 * The finished cells of a study in a folder, `cells/NAME.json`. Each file appears whole or not at all, and holds the
 * settings it was made with; what was made with others is as if it were not there. What an interrupted run leaves is
 * therefore always of use.
 */
import { dirname, join } from "node:path";
import { makeFolder, writeWhole } from "../../base/files/wholeFiles";
import { InputError } from "../../base/errors";
import { readInputJson } from "../../base/files/inputFiles";
import { isObject } from "../../base/values";
import { packageVersion } from "../../native/paths";
import { versions } from "../../torch";
import { type Cell, cellName, lossOf } from "./plan";
import type { CellResult, Subject } from "./subject";

/** With the seconds it took. */
export type StoredCell = CellResult & { readonly seconds: number };

export class StudyStore {
  constructor(
    private readonly folder: string,
    private readonly subject: Subject,
  ) {}

  /** Undefined when the cell was not finished with these settings. */
  readCell(cell: Cell): Promise<StoredCell | undefined> {
    return readResult<StoredCell>(this.file(cell), this.settingsOf(cell));
  }

  writeCell(cell: Cell, result: StoredCell): Promise<void> {
    return writeResult(this.file(cell), this.settingsOf(cell), result);
  }

  /**
   * @throws InputError when a finished cell was made with other settings; another version of smaug is not another
   *   setting
   */
  async expectNoOthers(cells: readonly Cell[], overwriting: string): Promise<void> {
    for (const cell of cells) {
      const file = this.file(cell);
      const settings = readSettings(file);
      if (settings === undefined || JSON.stringify(settings) === JSON.stringify(this.settingsOf(cell))) continue;
      throw new InputError(
        `Expected cells of the same settings in ${this.folder} but ${file} was made with others. Choose another folder, or ` +
          `replace them with\n  ${overwriting}`,
      );
    }
  }

  private file = (cell: Cell): string => join(this.folder, "cells", `${cellName(cell)}.json`);

  private settingsOf(cell: Cell): object {
    return { ...cell, loss: lossOf(cell), ...this.subject.settingsOf(cell.seed, cell.corpus) };
  }
}

/** What a file holds that was written with these settings by this version; undefined otherwise. */
export async function readResult<T>(file: string, settings: object): Promise<T | undefined> {
  const stored = readStored<T>(file);
  return JSON.stringify(stored?.settings) === JSON.stringify(complete(settings)) ? stored?.result : undefined;
}

/** The settings a file was written with, without the versions; undefined when it cannot be read. */
function readSettings(file: string): object | undefined {
  const { settings } = readStored(file) ?? {};
  if (!isObject(settings)) return undefined;
  const { versions: _, ...others } = settings;
  return others;
}

/** What {@link writeResult} wrote; undefined when the file is missing or is not one of its. */
function readStored<T>(file: string): { settings?: object; result?: T } | undefined {
  try {
    return (readInputJson(file, "a result") as { settings?: object; result?: T } | null) ?? undefined;
  } catch {
    return undefined;
  }
}

export async function writeResult(file: string, settings: object, result: object): Promise<void> {
  makeFolder(dirname(file));
  await writeWhole(file, `${JSON.stringify({ settings: complete(settings), result }, null, 2)}\n`);
}

const complete = (settings: object) => ({ ...settings, versions: { smaug: packageVersion(), libtorch: versions().compiled } });
