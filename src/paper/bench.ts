/** A task with its reference: every method is trained from a copy of it, and all models are measured on the same pairs. */
import type { TokenizedPair } from "../data/tokenize/tokenizedPair";
import type { CausalLM } from "../models";
import type { AnswerLogProbs, LossConfig } from "../preference";
import { type ModelOutput, answerQuestions, curvePoint, scoreRows } from "./measure";
import type { Settings } from "./settings";
import { type Task, longestAnswer } from "./task";
import { TemporaryFolder, copyModel, modelConfig, trainMethod } from "./training";

export class SmallBench {
  private readonly folder = new TemporaryFolder();
  private readonly chosenOnly: readonly TokenizedPair[];

  private constructor(
    readonly task: Task,
    readonly reference: CausalLM,
    private readonly settings: Settings,
    private readonly seed: number,
    private readonly referenceScores: readonly AnswerLogProbs[],
  ) {
    this.chosenOnly = task.pairs.map(({ index, chosen }) => ({ index, chosen }));
  }

  /** The reference remains the caller's. */
  static async of(task: Task, reference: CausalLM, settings: Settings, seed: number): Promise<SmallBench> {
    return new SmallBench(task, reference, settings, seed, await scoreRows(reference, task.pairs));
  }

  async measureReference(): Promise<ModelOutput> {
    const { reference, referenceScores: scores } = this;
    return { scores, answers: await this.ask(reference), curve: [this.pointOf(0, scores)] };
  }

  /** Trains a copy of the reference and measures it, also along the way. */
  async train(loss: LossConfig, onStep: (step: number, loss: number) => void): Promise<ModelOutput> {
    const { task, reference, settings, seed, folder, referenceScores } = this;
    const { steps, curveEvery, curvePairs, tolerance } = settings.preference;
    using model = copyModel(modelConfig(settings.model, task.vocabulary.size), reference);
    const curve = [this.pointOf(0, referenceScores)];
    await trainMethod(model, {
      loss: loss.lossType === "dpop" ? { ...loss, dpopTolerance: tolerance } : loss,
      rows: loss.lossType === "sft" ? this.chosenOnly : task.pairs,
      settings,
      seed,
      folder: folder.path,
      onStep: async (step, value) => {
        onStep(step, value);
        if (step % curveEvery === 0 || step === steps)
          curve.push(curvePoint(step, await scoreRows(model, task.pairs.slice(0, curvePairs))));
      },
    });
    return { scores: await scoreRows(model, task.pairs), answers: await this.ask(model), curve };
  }

  private pointOf(step: number, scores: readonly AnswerLogProbs[]) {
    return curvePoint(step, scores.slice(0, this.settings.preference.curvePairs));
  }

  private ask(model: CausalLM) {
    const { heldOut, vocabulary } = this.task;
    return answerQuestions(model, heldOut, vocabulary, longestAnswer(this.task) + 1);
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}
