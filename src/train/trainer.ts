/**
 * Preference training, as its users see it: settings in, steps and events out.
 *
 * The parts are in their own folders and files: what a run needs before its first step (prepare/), the gradient of a
 * step (step.ts), the loop (loop.ts), what it writes and tells (observers/), metrics (metrics/), checkpoints (checkpoint/)
 * and ownership of the output folder (output/).
 */
import { EventEmitter } from "node:events";
import { checkpointBytes, spaceWarning } from "./checkpoint/save";
import { TrainingLoop, type TrainingSummary } from "./loop";
import type { MemoryPlan } from "./memory";
import type { LogLine, TrainingStep } from "./metrics/names";
import { CheckpointWriter } from "./observers/checkpoints";
import { FailureMonitor } from "./observers/failureMonitor";
import type { RunObserver } from "./observers/observer";
import { RunLogs } from "./observers/runLogs";
import { checkTrainerOptions, type PreferenceTrainerOptions, readSettings } from "./options";
import { LIBRARY_WAYS, RunOutput } from "./output/ownership";
import { type Preparation, prepare } from "./prepare/prepare";

/** The events of a trainer, with the arguments of their listeners. */
export interface TrainerEvents {
  /** Everything is ready for the first step. */
  prepared: [preparation: Preparation];
  /** Progress of the reference pass, in pairs. */
  reference: [done: number, total: number];
  step: [step: TrainingStep, totalSteps: number];
  log: [line: LogLine];
  evaluate: [line: LogLine];
  save: [folder: string];
  /** Batches are smaller from now on, since the device ran out of memory. */
  plan: [plan: MemoryPlan];
  warning: [message: string];
}

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

  /** Stops the run after the current step. It writes a checkpoint to resume from, and no final weights. */
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

  /** Does everything before the first step, so that whatever is wrong shows here, and fills the reference cache. */
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
    let loop: TrainingLoop | undefined;
    try {
      output = this.output ?? this.claimOutput();
      const preparation = await this.prepare();
      this.emit("prepared", preparation);
      const { model, optimizer, settings, warnings } = preparation;
      const noSpace = spaceWarning(checkpointBytes(model, optimizer.layout), settings.outputDir);
      if (noSpace !== undefined) this.emit("warning", noSpace);
      for (const warning of warnings) this.emit("warning", warning);
      loop = new TrainingLoop(preparation, runObservers(preparation, this, output));
      yield* loop.steps(() => this.stopping);
      this.summary = await loop.finish();
    } finally {
      if (loop) loop.dispose();
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

/** The observers of a run. The first two write files; of several processes, only one would have them. */
export function runObservers(
  preparation: Preparation,
  events: EventEmitter<TrainerEvents>,
  output: RunOutput,
): readonly RunObserver[] {
  const { loss, train, schedule } = preparation;
  const warn = (message: string) => void events.emit("warning", message);
  return [
    new CheckpointWriter(preparation, output),
    new RunLogs(preparation, output, warn),
    new TrainerEventObserver(events, schedule.totalSteps),
    new FailureMonitor(loss, train.length, warn),
  ];
}

/** Emits what happens in a run as events of the trainer. */
class TrainerEventObserver implements RunObserver {
  constructor(
    private readonly events: EventEmitter<TrainerEvents>,
    private readonly totalSteps: number,
  ) {}

  afterStep(step: TrainingStep): void {
    if (step.logged) this.events.emit("log", step.logged);
    this.events.emit("step", step, this.totalSteps);
  }

  afterEvaluation(line: LogLine): void {
    this.events.emit("evaluate", line);
  }

  onSave(folder: string): void {
    this.events.emit("save", folder);
  }

  onSmallerPlan(plan: MemoryPlan): void {
    this.events.emit("plan", plan);
  }

  onWarning(message: string): void {
    this.events.emit("warning", message);
  }
}
