/**
 * The finished parts of a study in a folder: `cells/NAME.json` for every cell and `references/seed-N/` for the model it
 * started from. Each file appears whole or not at all, and holds the settings it was made with; what was made with
 * others is as if it were not there. What an interrupted run leaves is therefore always of use.
 */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { writeFileAtomically } from "../../data/atomicWrite";
import { type CausalLM, loadModel, saveModel } from "../../models";
import { packageVersion } from "../../native/paths";
import { versions } from "../../torch";
import type { MethodResult } from "../result";
import type { SftOutcome } from "../sft";
import { type Cell, type Study, cellName, lossOf } from "./plan";

/** What a cell came to. */
export interface CellResult extends MethodResult {
  /** Mean normalised edit distance of the pairs, in tokens. */
  readonly editDistance: number;
  readonly seconds: number;
}

/** How a seed's reference was made. */
export interface ReferenceResult extends SftOutcome {
  readonly seconds: number;
}

type Json = Record<string, unknown>;

export class StudyStore {
  constructor(private readonly folder: string, private readonly study: Study) {}

  /** Undefined when the cell was not finished with these settings. */
  readCell(cell: Cell): Promise<CellResult | undefined> {
    return read<CellResult>(this.cellFile(cell), this.settingsOf(cell));
  }

  async writeCell(cell: Cell, result: CellResult): Promise<void> {
    await mkdir(join(this.folder, "cells"), { recursive: true });
    await write(this.cellFile(cell), this.settingsOf(cell), result);
  }

  /** Undefined when the seed's reference was not finished with these settings. */
  readReference(seed: number): Promise<ReferenceResult | undefined> {
    return read<ReferenceResult>(this.referenceFile(seed), this.referenceSettings(seed));
  }

  /** Its weights, bit for bit those that were written; the caller disposes the model. */
  loadReference(seed: number): Promise<CausalLM> {
    return loadModel(this.referenceFolder(seed));
  }

  async writeReference(seed: number, model: CausalLM, result: ReferenceResult): Promise<void> {
    // While the weights change nothing may say whose they are.
    await rm(this.referenceFile(seed), { force: true });
    await saveModel(model, this.referenceFolder(seed));
    await write(this.referenceFile(seed), this.referenceSettings(seed), result);
  }

  private cellFile = (cell: Cell): string => join(this.folder, "cells", `${cellName(cell)}.json`);
  private referenceFolder = (seed: number): string => join(this.folder, "references", `seed-${seed}`);
  private referenceFile = (seed: number): string => join(this.referenceFolder(seed), "training.json");

  private settingsOf(cell: Cell): Json {
    const { beta: _beta, lambda: _lambda, ...preference } = this.study.settings.preference;
    return { ...cell, loss: lossOf(this.study, cell), ...this.referenceSettings(cell.seed), preference };
  }

  private referenceSettings(seed: number): Json {
    const { task, model, sft, optimizer } = this.study.settings;
    return { seed, task, model, sft, optimizer, versions: { smaug: packageVersion(), libtorch: versions().compiled } };
  }
}

async function read<T>(file: string, settings: Json): Promise<T | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const stored = JSON.parse(text) as { settings: Json; result: T };
    return JSON.stringify(stored.settings) === JSON.stringify(settings) ? stored.result : undefined;
  } catch {
    return undefined; // not ours
  }
}

const write = (file: string, settings: Json, result: object): Promise<void> =>
  writeFileAtomically(file, `${JSON.stringify({ settings, result }, null, 2)}\n`);
