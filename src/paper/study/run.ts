/**
 * Runs the paper's comparison cell by cell and keeps each in the folder as it is finished, so that a run that was
 * stopped goes on where it was. One thread, as in the small experiment; the same seeds give the same numbers bit for
 * bit, in one run or in several.
 */
import type { CausalLM } from "../../models";
import { packageVersion } from "../../native/paths";
import { getNumThreads, setNumThreads, versions } from "../../torch";
import type { PhaseProgress } from "../experiment";
import { type PairScores, curvePoint } from "../measure";
import { type Measured, inShort, toMethodResult } from "../methodResult";
import { copyModel, createModel, modelConfig } from "../model";
import { trainPreference } from "../preferencePhase";
import { answerQuestions, scorePairs } from "../scoring";
import { trainReference } from "../sft";
import { type Distance, type Task, arithmeticTask, longestAnswer } from "../task";
import { type Cell, STUDY_NAMES, type Study, cellsOf, lossOf } from "./plan";
import { type CellResult, type ReferenceResult, StudyStore } from "./store";

export interface StudyOptions {
  readonly preset: string;
  readonly study: Study;
  readonly seeds: readonly number[];
  /** Where finished cells are kept and found. */
  readonly folder: string;
  /** Starts a phase; `total` is its number of steps when that is known. */
  readonly startPhase: (label: string, total?: number) => PhaseProgress;
  /** Told before the work how many cells there are, and how many of them are finished. */
  readonly onPlan?: (cells: number, finished: number) => void;
}

export type FinishedCell = Cell & CellResult;

export interface StudyResult {
  readonly preset: string;
  readonly study: Study;
  readonly seeds: readonly number[];
  readonly versions: Record<string, string>;
  /** Of all parts together, in whatever runs they were made. */
  readonly seconds: number;
  readonly references: readonly (ReferenceResult & { readonly seed: number })[];
  readonly cells: readonly FinishedCell[];
}

/** Runs what is not finished of a study. */
export async function runStudy(options: StudyOptions): Promise<StudyResult> {
  const threads = getNumThreads();
  setNumThreads(1);
  try {
    return await run(options);
  } finally {
    setNumThreads(threads);
  }
}

async function run({ preset, study, seeds, folder, startPhase, onPlan }: StudyOptions): Promise<StudyResult> {
  const store = new StudyStore(folder, study);
  const plan = seeds.flatMap((seed) => cellsOf(study, seed));
  const found = await Promise.all(plan.map((cell) => store.readCell(cell)));
  onPlan?.(plan.length, found.filter((result) => result !== undefined).length);

  const references: (ReferenceResult & { seed: number })[] = [];
  const cells: FinishedCell[] = [];
  for (const seed of seeds) {
    const made = (await store.readReference(seed)) ?? (await makeReference(study, seed, store, startPhase));
    references.push({ seed, ...made });
    const ofSeed = plan.map((cell, i) => ({ cell, result: found[i] })).filter(({ cell }) => cell.seed === seed);
    if (ofSeed.some(({ result }) => result === undefined)) {
      using reference = await store.loadReference(seed);
      const benches = new Map<Distance, Bench>();
      for (const each of ofSeed.filter(({ result }) => result === undefined)) {
        const { distance } = each.cell;
        const bench = benches.get(distance) ?? new Bench(study, seed, distance, reference);
        benches.set(distance, bench);
        each.result = bench.run(each.cell, startPhase);
        await store.writeCell(each.cell, each.result);
      }
    }
    cells.push(...ofSeed.map(({ cell, result }) => ({ ...cell, ...result! })));
  }
  return {
    preset,
    study,
    seeds,
    versions: { smaug: packageVersion(), node: process.versions.node, libtorch: versions().compiled },
    seconds: [...references, ...cells].reduce((total, { seconds }) => total + seconds, 0),
    references,
    cells,
  };
}

async function makeReference(
  { settings }: Study,
  seed: number,
  store: StudyStore,
  startPhase: StudyOptions["startPhase"],
): Promise<ReferenceResult> {
  const start = performance.now();
  const { examples, vocabulary } = arithmeticTask(seed, settings.task);
  using model = createModel(modelConfig(settings.model, vocabulary.size), seed);
  const phase = startPhase(`seed ${seed}, reference`);
  const outcome = trainReference(model, examples, settings, seed, (step, loss) =>
    phase.update(step, `loss ${loss.toFixed(3)}, goal ${settings.sft.goalLoss}`));
  phase.finish(`${outcome.steps} steps  loss ${outcome.loss.toFixed(3)}`);
  const result = { ...outcome, seconds: secondsSince(start) };
  await store.writeReference(seed, model, result);
  return result;
}

/** What the cells of one seed and edit distance share. */
class Bench {
  private readonly task: Task;
  private readonly referenceScores: PairScores[];

  constructor(
    private readonly study: Study,
    private readonly seed: number,
    distance: Distance,
    private readonly reference: CausalLM,
  ) {
    this.task = arithmeticTask(seed, study.settings.task, distance);
    this.referenceScores = scorePairs(reference, this.task.pairs);
  }

  run(cell: Cell, startPhase: StudyOptions["startPhase"]): CellResult {
    const start = performance.now();
    const { study: { settings }, task } = this;
    const { steps } = settings.preference;
    const loss = lossOf(this.study, cell);
    const phase = startPhase(label(cell), loss ? steps : undefined);
    let measured: Measured;
    if (loss === null) measured = this.ofReference();
    else {
      using model = copyModel(modelConfig(settings.model, task.vocabulary.size), this.reference);
      const { pairs } = task;
      const { referenceScores, seed } = this;
      const onStep = (step: number, value: number) => phase.update(step, `loss ${value.toFixed(3)}`);
      const curve = trainPreference(model, { loss, pairs, referenceScores, settings, seed, onStep });
      measured = { scores: scorePairs(model, pairs), answers: this.ask(model), curve };
    }
    phase.finish(inShort(measured));
    return {
      ...toMethodResult(measured, task.pairs),
      editDistance: task.editDistance,
      seconds: secondsSince(start),
    };
  }

  private ofReference(): Measured {
    const { curvePairs } = this.study.settings.preference;
    const curve = [curvePoint(0, this.referenceScores.slice(0, curvePairs))];
    return { scores: this.referenceScores, answers: this.ask(this.reference), curve };
  }

  private ask(model: CausalLM): Measured["answers"] {
    const { task } = this;
    return answerQuestions(model, task.heldOut, task.vocabulary, longestAnswer(task) + 1);
  }
}

function label({ seed, distance, method, beta, lambda }: Cell): string {
  const parameters = `${beta === null ? "" : ` ${beta}`}${lambda === null ? "" : `/${lambda}`}`;
  return `seed ${seed}, ${distance}, ${STUDY_NAMES[method]}${parameters}`;
}

const secondsSince = (start: number): number => (performance.now() - start) / 1000;
