/**
 * A study on a user's model and rows: every cell trains a fresh adapter on it with the training engine, and leaves in
 * `runs/NAME` what `smaug train` leaves. A tenth of the prompts is held out, others for each seed; log-probs, curves and
 * accuracy are of those.
 */

import { join } from "node:path";
import { Random } from "../../base/random";
import { mean } from "../../base/samples";
import { firstDifference, normalisedDistance } from "../../data/rows/editDistance";
import type { AnswerPair } from "../../data/tokenize/tokenizedPair";
import type { CausalLM } from "../../models";
import { applyLora, lora, removeAdapter } from "../../nn";
import { createLoss, fingerprint, type LossConfig } from "../../preference";
import { completionOf } from "../../preference/difference";
import type { Tokenizer } from "../../text";
import { type Device, manualSeed } from "../../torch";
import { PreferenceTrainer } from "../../train";
import type { PhaseProgress } from "../experiment";
import { type CurvePoint, curvePoint, inShort, scoreRows, toMethodResult } from "../measure";
import type { OwnSettings } from "../settings";
import { drawHeldOut } from "../task";
import { answerOwn, chanceOf, type HeldOutQuestion, questionsOf, type WayToAnswer, wayToAnswer } from "./ownAnswers";
import { type Cell, type Corpus, cellName } from "./plan";
import type { Bench, CellResult, RowSource, Subject, SubjectDescription } from "./subject";

type Sources = Readonly<Record<"low" | "high", RowSource<AnswerPair>>>;

interface OwnModelOptions {
  readonly folder: string;
  /** The folder or hub id of the model. */
  readonly name: string;
  /** Becomes the study's, which disposes it. */
  readonly model: CausalLM;
  readonly sources: Sources;
  readonly tokenizer: Tokenizer;
  readonly settings: OwnSettings;
  readonly device: Device;
  /** Folder of the reference cache; the user's when left out. */
  readonly referenceCache?: string;
}

/** Points of a curve, the first not counted, and the most pairs they are measured on. */
const CURVE_POINTS = 12;
const CURVE_PAIRS = 64;

export class OwnModel implements Subject {
  readonly description: SubjectDescription;

  private constructor(
    private readonly options: OwnModelOptions,
    /** Of the model's weights. */
    private readonly content: string,
  ) {
    const { name, model, sources, settings, device } = options;
    const corpora = Object.entries(sources).map(([corpus, source]) => {
      const { heldOut, questions } = this.split(0, corpus as Corpus); // their number does not depend on the seed
      const way = wayToAnswer(questions);
      return [
        corpus,
        {
          title: `${source.name}, ${heldOut.length} of ${source.rows.length} pairs held out`,
          heldOut: questions.length,
          chance: way === "generate" ? 0 : chanceOf(questions),
          accuracy: ACCURACY[way],
        },
      ];
    });
    const { dtype } = model;
    this.description = {
      lead:
        `From ${name} every method was trained as an adapter of its own on pairs of low and of high edit distance. ` +
        "What is measured is measured on pairs whose prompts were held out.",
      corpora: Object.fromEntries(corpora),
      settings: [
        ["Model", `${name} in ${dtype} on ${device}; LoRA of rank ${settings.rank} on all linear layers`],
        [
          "Methods",
          `${settings.steps} steps of ${settings.batchSize} pairs, AdamW, ` +
            `learning rate ${settings.learningRate}, then linearly to 0, gradient norm at most 1`,
        ],
      ],
    };
  }

  /** @throws InputError when the rows of a source have only one prompt */
  static async of(options: OwnModelOptions): Promise<OwnModel> {
    const { model } = options;
    return new OwnModel(options, await fingerprint(model.config, model.namedParameters()));
  }

  settingsOf(seed: number, corpus: Corpus): object {
    const { settings, sources, device } = this.options;
    const { digest, name } = sources[corpus as keyof Sources];
    return { seed, model: this.content, rows: { digest, name }, ...settings, device };
  }

  async prepare(): Promise<null> {
    return null;
  }

  async open(seed: number, corpus: Corpus): Promise<Bench> {
    return new OwnBench({ ...this.options, ...this.split(seed, corpus), seed });
  }

  [Symbol.dispose](): void {
    this.options.model.dispose();
  }

  private split(seed: number, corpus: Corpus) {
    const { sources, settings, tokenizer } = this.options;
    const { rows, name } = sources[corpus as keyof Sources];
    const held = drawHeldOut(rows.map(promptOf), name, seed, settings.heldOut);
    const heldOut = rows.filter((pair) => held.has(promptOf(pair)));
    const rest = rows.filter((pair) => !held.has(promptOf(pair)));
    // No more than are trained on: each costs a reference.
    const train = new Random(seed, "train").shuffled(rest).slice(0, settings.steps * settings.batchSize);
    return { train, heldOut, questions: questionsOf(heldOut, promptOf, tokenizer) };
  }
}

const ACCURACY: Record<WayToAnswer, string> = {
  generate: "greedy answers whose final answer is right",
  choose: "prompts whose chosen answer is likelier than every rejected one, by the character",
};

/** Tells prompts apart. */
const promptOf = ({ chosen }: AnswerPair): string => chosen.ids.subarray(0, chosen.start).join(" ");

interface OwnBenchOptions extends Pick<OwnModelOptions, "folder" | "model" | "tokenizer" | "settings" | "referenceCache"> {
  readonly seed: number;
  readonly train: readonly AnswerPair[];
  readonly heldOut: readonly AnswerPair[];
  readonly questions: readonly HeldOutQuestion[];
}

class OwnBench implements Bench {
  readonly steps: number;
  private readonly editDistance: number;

  constructor(private readonly options: OwnBenchOptions) {
    this.steps = options.settings.steps;
    this.editDistance = mean(
      options.heldOut.map(({ chosen, rejected }) => normalisedDistance(completionOf(chosen), completionOf(rejected))),
    );
  }

  async run(cell: Cell, loss: LossConfig | null, phase: PhaseProgress): Promise<CellResult> {
    const { model, settings, seed } = this.options;
    if (loss === null) return this.measure(phase);
    manualSeed(seed);
    applyLora(model, lora({ r: settings.rank, targetModules: "all-linear" }));
    try {
      return await this.measure(phase, await this.train(cell, loss, phase));
    } finally {
      removeAdapter(model, "default");
    }
  }

  /** @returns the curve, from step 0 */
  private async train(cell: Cell, loss: LossConfig, phase: PhaseProgress): Promise<CurvePoint[]> {
    const { folder, model, train, heldOut, settings, seed, referenceCache = null } = this.options;
    const outputDir = join(folder, "runs", cellName(cell));
    const trainer = new PreferenceTrainer({
      model,
      train,
      outputDir,
      seed,
      referenceCache,
      evaluation: heldOut.slice(0, CURVE_PAIRS),
      loss: createLoss(loss),
      maxSteps: settings.steps,
      perDeviceTrainBatchSize: settings.batchSize,
      learningRate: settings.learningRate,
      evalStrategy: "steps",
      evalSteps: Math.max(1, Math.round(settings.steps / CURVE_POINTS)),
      evalOnStart: true,
      saveStrategy: "no",
      reportTo: "none",
      overwriteOutputDir: true, // checked earlier: whether a cell may be computed again
    });
    const curve: CurvePoint[] = [];
    trainer.on("evaluate", (line) =>
      curve.push({ step: line["step"]!, chosen: line["eval_logps/chosen"]!, rejected: line["eval_logps/rejected"]! }),
    );
    trainer.on("reference", (done, total) => phase.update(0, `reference of ${done} of ${total} pairs`));
    for await (const { step, loss } of trainer) phase.update(step, `loss ${loss.toFixed(3)}`);
    return curve;
  }

  private async measure(phase: PhaseProgress, trained?: CurvePoint[]): Promise<CellResult> {
    const { model, heldOut, questions, tokenizer } = this.options;
    model.eval();
    const scores = await scoreRows(model, heldOut);
    const answers = await answerOwn(model, tokenizer, questions, scores);
    const curve = trained ?? [curvePoint(0, scores.slice(0, CURVE_PAIRS))];
    const output = { scores, answers, curve };
    phase.finish(inShort(output));
    const partings = heldOut.map(({ chosen, rejected }) => ({
      difference: firstDifference(completionOf(chosen), completionOf(rejected)),
    }));
    return { ...toMethodResult(output, partings), editDistance: this.editDistance };
  }

  [Symbol.dispose](): void {}
}
