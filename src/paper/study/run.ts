/**
 * Runs the paper's comparison cell by cell, so that a run that was stopped resumes where it was. Each finished cell is kept
 * in the folder as `cells/NAME.json`, which appears whole or not at all and holds the settings it was made with. Cells with
 * other settings are ignored. On the CPU the same seeds give the same numbers bit for bit, in one run or
 * in several.
 */
import { dirname, join } from "node:path";
import { InputError } from "../../base/errors";
import { readInputJson } from "../../base/files/inputFiles";
import { makeFolder, writeWhole } from "../../base/files/wholeFiles";
import { packageVersion } from "../../base/package";
import { isObject } from "../../base/values";
import { versions } from "../../torch";
import type { StartPhase } from "../experiment";
import { type Cell, cellName, cellsOf, lossOfCell, STUDY_NAMES, type Study } from "./plan";
import type { CellResult, ReferenceResult, Subject, SubjectDescription } from "./subject";

export interface StudyOptions {
  readonly preset: string;
  readonly study: Study;
  readonly subject: Subject;
  readonly seeds: readonly number[];
  /** Where finished cells are kept and found. */
  readonly folder: string;
  /**
   * The command to paste for overwriting. When given, finished cells of other settings are an error that quotes it;
   * when left out, they are computed again.
   */
  readonly overwriting?: string | undefined;
  readonly startPhase: StartPhase;
  /** Told before the work how many cells there are, and how many of them are finished. */
  readonly onPlan?: (cells: number, finished: number) => void;
}

export type FinishedCell = Cell & StoredCell;

export interface StudyResult {
  readonly preset: string;
  readonly study: Study;
  readonly subject: SubjectDescription;
  readonly seeds: readonly number[];
  readonly versions: Record<string, string>;
  /** Of all parts together, in whatever runs they were made. */
  readonly seconds: number;
  readonly references: readonly (ReferenceResult & { readonly seed: number })[];
  readonly cells: readonly FinishedCell[];
}

/** Runs the unfinished cells of a study. */
export async function runStudy(options: StudyOptions): Promise<StudyResult> {
  const { preset, study, subject, seeds, folder, overwriting, startPhase, onPlan } = options;
  const store = new StudyStore(folder, subject);
  const plan = seeds.flatMap((seed) => cellsOf(study, seed));
  const found = new Map(await Promise.all(plan.map(async (cell) => [cell, await store.readCell(cell)] as const)));
  if (overwriting !== undefined) await store.expectNoOthers(plan, overwriting);
  onPlan?.(plan.length, [...found.values()].filter((result) => result !== undefined).length);

  const references = new Map<string, ReferenceResult & { seed: number }>();
  for (const seed of seeds) {
    for (const corpus of study.corpora) {
      const reference = await subject.prepare(seed, corpus, startPhase);
      if (reference) references.set(`${seed} ${reference.name}`, { seed, ...reference });
      const missing = plan.filter((cell) => cell.seed === seed && cell.corpus === corpus && !found.get(cell));
      if (missing.length === 0) continue;
      using bench = await subject.open(seed, corpus);
      for (const cell of missing) {
        const start = performance.now();
        const loss = lossOfCell(cell);
        const phase = startPhase(label(cell), loss ? bench.steps : undefined);
        const result = { ...(await bench.run(cell, loss, phase)), seconds: (performance.now() - start) / 1000 };
        await store.writeCell(cell, result);
        found.set(cell, result);
      }
    }
  }
  const cells = plan.map((cell) => ({ ...cell, ...found.get(cell)! }));
  return {
    preset,
    study,
    subject: subject.description,
    seeds,
    versions: { smaug: packageVersion(), node: process.versions.node, libtorch: versions().compiled },
    seconds: [...references.values(), ...cells].reduce((total, { seconds }) => total + seconds, 0),
    references: [...references.values()],
    cells,
  };
}

function label({ seed, corpus, method, beta, lambda }: Cell): string {
  const parameters = `${beta === null ? "" : ` ${beta}`}${lambda === null ? "" : `/${lambda}`}`;
  return `seed ${seed}, ${corpus}, ${STUDY_NAMES[method]}${parameters}`;
}

/** With the seconds it took. */
type StoredCell = CellResult & { readonly seconds: number };

class StudyStore {
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
    return { ...cell, loss: lossOfCell(cell), ...this.subject.settingsOf(cell.seed, cell.corpus) };
  }
}

/** The result in a file if it was written with these settings by this version. */
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

/** Reads what {@link writeResult} wrote; undefined when the file is missing or not one of its. */
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
