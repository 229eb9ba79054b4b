/**
 * Preference training, as its users see it: settings in, steps and events out.
 *
 * The parts are in their own files: what a run needs before it can begin (prepare/), the loop (loop.ts), one
 * micro-batch (step.ts), ownership of the output folder (output/ownership.ts), metrics (metrics/), checkpoints
 * (checkpoint/) and logs (observers/).
 */
import { EventEmitter } from "node:events";
import { checkpointBytes, spaceWarning } from "./checkpoint/diskSpace";
import { LIBRARY_WAYS, RunOutput } from "./output/ownership";
import { type Preparation, type PreferenceTrainerOptions, prepare, readSettings } from "./prepare/prepare";
import { Run, type TrainerEvents, type TrainingSummary } from "./loop";
import { checkTrainerOptions } from "./options";
import type { TrainingStep } from "./metrics/trainingStep";

/**
 * Trains a model on preference pairs. Iterating runs it, a step at a time; so does `train()`.
 *
 * ```ts
 * const model = await loadModel("models/SmolLM2-135M-Instruct", { adapter: lora({ r: 16 }) });
 * const train = await loadPreferences("pairs.jsonl");
 * const trainer = new PreferenceTrainer({ model, train, loss: dpop({ beta: 0.3, lambda: 50 }), outputDir: "out" });
 * for await (const step of trainer) console.log(step.step, step.loss, step["rewards/margins"]);
 * ```
 */
export class PreferenceTrainer extends EventEmitter<TrainerEvents> implements AsyncIterable<TrainingStep> {
  private stopping = false;
  private hasRun = false;
  private summary: TrainingSummary | undefined;

  /**
   * Settings that are left out have the defaults of `trainingArguments`.
   *
   * @throws TypeError, RangeError or InputError for options that no run could start with
   * @param output the output folder when the caller has claimed it already, and will release it
   */
  constructor(
    private readonly options: PreferenceTrainerOptions,
    private readonly output?: RunOutput,
  ) {
    super();
    checkTrainerOptions(options);
  }

  /** Ends after the step at hand: it writes a checkpoint, from which the run can go on, and no final weights. */
  stop(): void {
    this.stopping = true;
  }

  /** Runs to the end. */
  async train(): Promise<TrainingSummary> {
    for await (const _ of this);
    return this.summary!;
  }

  /** How the run ended; undefined before it has. */
  get result(): TrainingSummary | undefined {
    return this.summary;
  }

  /** Everything before the first step: whatever is wrong shows here. The reference is then in its cache. */
  prepare(): Promise<Preparation> {
    return prepare(this.options, {
      onReference: (done, total) => this.emit("reference", done, total),
      onWarning: (message) => this.emit("warning", message),
      isStopped: () => this.stopping,
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TrainingStep, void> {
    if (this.hasRun)
      throw new Error(
        "Expected one run for each PreferenceTrainer but received a second train(), or a second loop over it. To train the " +
          "model further, create another trainer, whose reference is the model as it is then; to resume the run, load the " +
          "model as it was before it and pass resumeFromCheckpoint",
      );
    this.hasRun = true;
    let output: RunOutput | undefined;
    let run: Run | undefined;
    try {
      output = this.output ?? this.claimOutput();
      const preparation = await this.prepare();
      this.emit("prepared", preparation);
      const { model, settings } = preparation;
      const warning = spaceWarning(checkpointBytes(model), settings.outputDir);
      if (warning !== undefined) this.emit("warning", warning);
      run = new Run(preparation, this, output);
      yield* run.steps(() => this.stopping);
      this.summary = await run.finish();
    } finally {
      if (run) run.dispose();
      else this.hasRun = false; // nothing was trained, so the caller may try again
      if (output !== this.output) output?.release();
    }
  }

  private claimOutput(): RunOutput {
    const { outputDir, overwriteOutputDir } = readSettings(this.options);
    const resume = this.options.resumeFromCheckpoint ?? null;
    return RunOutput.claim({ folder: outputDir, overwrite: overwriteOutputDir, resume, ways: LIBRARY_WAYS });
  }
}
