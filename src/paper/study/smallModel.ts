/**
 * A study on a small model that is made here: for each seed one reference is trained from random weights on a corpus's
 * examples and kept in `references/`, then every cell trains a copy of it, all weights. On one thread, which is all that
 * a model this small can use.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { PlainRow } from "../../data/rows/preferences";
import type { RejectedRow } from "../../data/rows/screening";
import { type CausalLM, loadModel, saveModel } from "../../models";
import type { LossConfig } from "../../preference";
import type { Device } from "../../torch";
import type { PhaseProgress, StartPhase } from "../experiment";
import { inShort, toMethodResult } from "../measure";
import { describeModel, describeOptimizer, type PaperSettings } from "../settings";
import { arithmeticTask, choiceTask, type PaperTask, rowsTask } from "../task";
import { modelConfig, SmallBench, trainReference, withOneThread } from "../training";
import { splitIntoPieces } from "../vocabulary";
import type { Cell, Corpus } from "./plan";
import { readResult, writeResult } from "./run";
import {
  type Bench,
  type CellResult,
  type CorpusDescription,
  type ReferenceResult,
  type Subject,
  type SubjectDescription,
  splitByDistance,
} from "./subject";

/** A corpus for the small model. */
export interface SmallCorpus {
  /** Corpora of the same examples have one reference: its name. */
  readonly reference: string;
  readonly settings: PaperSettings;
  /** Says which rows they are, where they are a user's. */
  readonly data?: string;
  readonly makeTask: (seed: number) => PaperTask;
  readonly description: CorpusDescription;
}

export type SmallCorpora = Readonly<Partial<Record<Corpus, SmallCorpus>>>;

/** The reference of the multiple choice is stopped earlier: at 0.14 / 0.1 nats a token both are right in four of five. */
const CHOICE_GOAL = 0.1;

/** The corpora of the paper's comparison, made here. */
export function generatedCorpora(settings: PaperSettings): SmallCorpora {
  const { heldOut } = settings.task;
  const arithmetic = (far: boolean, title: string): SmallCorpus => ({
    reference: "arithmetic",
    settings,
    makeTask: (seed) => arithmeticTask(seed, settings.task, far ? "high" : "low"),
    description: { title, heldOut, chance: 0, accuracy: "greedy answers whose final number is right" },
  });
  const { sft } = settings;
  const choices = { ...settings, sft: { ...sft, goalLoss: Math.min(CHOICE_GOAL, sft.goalLoss) } };
  return {
    low: arithmetic(false, "worked arithmetic, one intermediate result replaced"),
    high: {
      reference: "choices",
      settings: choices,
      makeTask: (seed) => choiceTask(seed, choices.task),
      description: {
        title: "multiple choice, the right answer against each wrong one",
        heldOut,
        chance: 1 / 4,
        accuracy: "questions whose right choice is the likeliest of four, by the character",
      },
    },
    control: arithmetic(true, "worked arithmetic, the rejected answer that of another problem"),
  };
}

/** A user's rows, as {@link splitByDistance} parts them. */
export function corporaOfRows(
  sources: readonly { readonly name: string; readonly rows: readonly PlainRow[]; readonly digest: string }[],
  settings: PaperSettings,
  onRejectedRows: (name: string, refused: readonly RejectedRow[], rows: number) => void,
): SmallCorpora {
  const halves = splitByDistance(sources, ({ chosen, rejected }) => [splitIntoPieces(chosen), splitIntoPieces(rejected)]);
  const corpora = Object.entries(halves).map(([corpus, { name, digest, rows }]): [string, SmallCorpus] => {
    const makeTask = (seed: number) => rowsTask(rows, name, seed, settings.task);
    const { refused, heldOut } = makeTask(0); // how many does not depend on the seed
    if (refused.length > 0) onRejectedRows(name, refused, rows.length);
    return [
      corpus,
      {
        reference: corpus,
        settings,
        data: digest,
        makeTask,
        description: { title: name, heldOut: heldOut.length, chance: 0, accuracy: "greedy answers that end in the final answer" },
      },
    ];
  });
  return Object.fromEntries(corpora);
}

export class SmallModel implements Subject {
  readonly description: SubjectDescription;

  /** @param folder where references are kept and found */
  constructor(
    private readonly folder: string,
    private readonly corpora: SmallCorpora,
    lead: string,
    private readonly device: Device = "cpu",
  ) {
    const described = Object.entries(corpora).map(([id, { description }]) => [id, description]);
    this.description = {
      lead,
      corpora: Object.fromEntries(described),
      settings: settingsInWords(Object.values(corpora), device),
    };
  }

  settingsOf(seed: number, corpus: Corpus): object {
    const { beta: _beta, lambda: _lambda, ...preference } = this.corpora[corpus]!.settings.preference;
    return { ...this.referenceSettings(seed, corpus), preference };
  }

  async prepare(seed: number, corpus: Corpus, startPhase: StartPhase): Promise<ReferenceResult> {
    const settings = this.referenceSettings(seed, corpus);
    const folder = this.referenceFolder(seed, corpus);
    const file = join(folder, "training.json");
    const found = await readResult<ReferenceResult>(file, settings);
    if (found) return found;
    const { model, result } = await this.makeReference(seed, corpus, startPhase);
    using _ = model;
    await rm(file, { force: true }); // while the weights change nothing may say whose they are
    await saveModel(model, folder);
    await writeResult(file, settings, result);
    return result;
  }

  async open(seed: number, corpus: Corpus): Promise<Bench> {
    const reference = await loadModel(this.referenceFolder(seed, corpus), { device: this.device });
    return SmallCells.of(this.corpora[corpus]!, seed, reference);
  }

  /** Models live no longer than their benches. */
  [Symbol.dispose](): void {}

  private async makeReference(
    seed: number,
    corpus: Corpus,
    startPhase: StartPhase,
  ): Promise<{ model: CausalLM; result: ReferenceResult }> {
    const start = performance.now();
    const { reference: name, settings, makeTask } = this.corpora[corpus]!;
    const { examples, vocabulary } = makeTask(seed);
    const { goalLoss: goal } = settings.sft;
    const phase = startPhase(`seed ${seed}, reference (${name})`);
    const { model, outcome } = await withOneThread(() =>
      trainReference({
        config: modelConfig(settings.model, vocabulary.size),
        seed,
        device: this.device,
        examples,
        settings,
        onStep: (step, loss) => phase.update(step, `loss ${loss.toFixed(3)}, goal ${goal}`),
      }),
    );
    phase.finish(`${outcome.steps} steps  loss ${outcome.loss.toFixed(3)}`);
    return { model, result: { ...outcome, name, goal, seconds: (performance.now() - start) / 1000 } };
  }

  private referenceFolder = (seed: number, corpus: Corpus): string =>
    join(this.folder, "references", `seed-${seed}_${this.corpora[corpus]!.reference}`);

  private referenceSettings(seed: number, corpus: Corpus): object {
    const {
      reference,
      data,
      settings: { task, model, sft, optimizer },
    } = this.corpora[corpus]!;
    return { seed, reference, data, task, model, sft, optimizer, device: this.device };
  }
}

class SmallCells implements Bench {
  readonly steps: number;

  private constructor(
    private readonly bench: SmallBench,
    { preference }: PaperSettings,
  ) {
    this.steps = preference.steps;
  }

  /** Takes the reference over. */
  static async of({ makeTask, settings }: SmallCorpus, seed: number, reference: CausalLM): Promise<SmallCells> {
    try {
      return new SmallCells(await withOneThread(() => SmallBench.of(makeTask(seed), reference, settings, seed)), settings);
    } catch (error) {
      reference.dispose();
      throw error;
    }
  }

  async run(_cell: Cell, loss: LossConfig | null, phase: PhaseProgress): Promise<CellResult> {
    const { bench } = this;
    const onStep = (step: number, value: number) => phase.update(step, `loss ${value.toFixed(3)}`);
    const output = await withOneThread(() => (loss === null ? bench.measureReference() : bench.train(loss, onStep)));
    phase.finish(inShort(output));
    return { ...toMethodResult(output, bench.task.pairs), editDistance: bench.task.editDistance };
  }

  [Symbol.dispose](): void {
    this.bench[Symbol.dispose]();
    this.bench.reference.dispose();
  }
}

function settingsInWords(corpora: readonly SmallCorpus[], device: Device): [string, string][] {
  const { model, sft, preference, optimizer } = corpora[0]!.settings;
  const references = [...new Map(corpora.map((corpus) => [corpus.reference, corpus])).values()];
  const goals = references.map(
    ({
      reference,
      settings: {
        task,
        sft: { goalLoss },
      },
    }) => `${goalLoss} nats a token on up to ${task.problems} examples (${reference})`,
  );
  return [
    ["Model", `${describeModel(model)}; float32 on ${device}; all weights train`],
    [
      "References",
      `SFT: batch ${sft.batchSize}, learning rate ${sft.learningRate}, until the mean of ` +
        `${sft.goalWindow} losses is below ${goals.join(", ")}, then ${sft.decaySteps} steps to 0`,
    ],
    [
      "Methods",
      `${preference.steps} steps of ${preference.batchSize} pairs, learning rate ${preference.learningRate}, ` +
        `warm-up ${preference.warmupSteps}, then linearly to 0`,
    ],
    ["Optimizer", describeOptimizer(optimizer)],
  ];
}
