/**
 * Runs the paper's comparison cell by cell and keeps each in the folder as it is finished, so that a run that was
 * stopped goes on where it was. On the CPU the same seeds give the same numbers bit for bit, in one run or in several.
 */
import { packageVersion } from "../../native/paths";
import { versions } from "../../torch";
import { type Cell, STUDY_NAMES, type Study, cellsOf, lossOf } from "./plan";
import { type StoredCell, StudyStore } from "./store";
import type { StartPhase } from "../experiment";
import type { ReferenceResult, Subject, SubjectDescription } from "./subject";

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

/** Runs what is not finished of a study. */
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
        const loss = lossOf(cell);
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
