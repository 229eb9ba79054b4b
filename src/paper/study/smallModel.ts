/**
 * A study on a small model that is made here: for each seed one reference is trained from random weights on a corpus's
 * examples and kept in `references/`, then every cell trains a copy of it, all weights. On one thread, which is all that
 * a model this small can use.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type CausalLM, loadModel, saveModel } from "../../models";
import type { LossConfig } from "../../preference";
import type { Device } from "../../torch";
import { SmallBench } from "../bench";
import type { PhaseProgress, StartPhase } from "../experiment";
import { inShort, toMethodResult } from "../measure";
import type { Settings } from "../settings";
import type { Task } from "../task";
import { modelConfig, trainReference, withOneThread } from "../training";
import type { Cell, Corpus } from "./plan";
import { readResult, writeResult } from "./store";
import type { Bench, CellResult, CorpusDescription, ReferenceResult, Subject, SubjectDescription } from "./subject";

/** A corpus for the small model. */
export interface SmallCorpus {
  /** Corpora of the same examples have one reference: its name. */
  readonly reference: string;
  readonly settings: Settings;
  /** Says which rows they are, where they are a user's. */
  readonly data?: string;
  readonly makeTask: (seed: number) => Task;
  readonly description: CorpusDescription;
}

export type SmallCorpora = Readonly<Partial<Record<Corpus, SmallCorpus>>>;

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
    { preference }: Settings,
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
    [
      "Model",
      `Llama shape: hidden size ${model.hiddenSize}, ${model.layers} layers, ${model.heads} heads, ` +
        `MLP ${model.intermediateSize}, RoPE theta ${model.ropeTheta}, tied embeddings; float32 on ${device}; all weights train`,
    ],
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
    [
      "Optimizer",
      `AdamW, betas ${optimizer.betas.join(" and ")}, weight decay ${optimizer.weightDecay}, ` +
        `gradient norm at most ${optimizer.maxGradNorm}`,
    ],
  ];
}
