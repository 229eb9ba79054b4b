/**
 * The training loop: which rows a step takes, clipping and the update, and when to log, evaluate, save and end. The
 * gradient is a function of the pairs (step.ts); files and events are the observers' (observers/).
 */
import { setImmediate } from "node:timers/promises";
import { answersOf, type TokenizedPair } from "../data/tokenize/tokenizedPair";
import { OutOfMemoryError } from "../native/errors";
import { clipGradNorm_ } from "../optim";
import { microBatches, type Packing, pack, packOptionsOf } from "../preference";
import { deviceProperties, tidy } from "../torch";
import { judgeEvaluation, restoreBest } from "./best";
import { checkpointFolder } from "./checkpoint/save";
import type { TrainerState } from "./checkpoint/state";
import { type MemoryPlan, smallerPlan } from "./memory";
import type { LogLine, TrainingStep } from "./metrics/names";
import { Speedometer } from "./metrics/speed";
import { means, type StepMetrics, trainingStep } from "./metrics/stepMetrics";
import { UnreadSteps } from "./metrics/unread";
import type { RunObserver } from "./observers/observer";
import type { Preparation } from "./prepare/prepare";
import { addGradient, evaluatePairs, type LossContext } from "./step";

/** How a run ended. */
export interface TrainingSummary {
  readonly steps: number;
  /** `completed`; `stopped` by `stop()`, with a checkpoint and no final weights; `stalled`: early stopping. */
  readonly end: "completed" | "stopped" | "stalled";
  /** The checkpoint of a stopped run. */
  readonly checkpoint: string | undefined;
  /** Mean loss over all steps, including those before the run was resumed. */
  readonly trainLoss: number;
  readonly seconds: number;
}

/** Maximum number of steps whose metrics are kept on the device, however rarely a run logs. */
const MAX_UNREAD = 100;

/** One run, from its first step to its last. */
export class TrainingLoop {
  private readonly state: TrainerState;
  private readonly context: LossContext;
  private readonly speed: Speedometer;
  private readonly unread = new UnreadSteps();
  private plan: MemoryPlan;
  /** Whether the first step is complete and finite, so that files may be written. */
  private hasBegun = false;
  private end: TrainingSummary["end"] = "completed";
  private checkpoint: string | undefined;
  private readonly started = performance.now();
  private readonly secondsBefore: number;
  private readonly readsLate: boolean;

  /**
   * @param readsLate leave metrics on the device until a line is logged, so that a step need not wait for the one before
   * it. Default: on all devices but the CPU.
   */
  constructor(
    private readonly prepared: Preparation,
    private readonly observers: readonly RunObserver[],
    { readsLate = deviceProperties(prepared.model.device).isAsynchronous } = {},
  ) {
    const { model, loss, reference, settings, state, plan } = prepared;
    this.readsLate = readsLate;
    this.context = { model, loss, reference, ldAlpha: settings.ldAlpha };
    this.plan = plan;
    this.state = state;
    this.secondsBefore = state.seconds;
    this.speed = new Speedometer(model);
  }

  /** Runs the steps; each is yielded when all that belongs to it is done. */
  async *steps(isStopped: () => boolean): AsyncGenerator<TrainingStep> {
    const { schedule, settings } = this.prepared;
    const { state } = this;
    if (settings.evalOnStart && state.globalStep === 0) await this.evaluate();
    while (state.globalStep < schedule.totalSteps) {
      const result = await this.takeStep();
      const { step } = result;
      const isStalled = schedule.evaluatesAt(step) && (await this.evaluate());
      const isBest = settings.saveStrategy === "best" && state.bestStep === step;
      if (schedule.savesAt(step) || isBest) await this.save();
      yield result;
      await setImmediate(); // yield, so that a signal handler can call stop()
      if (isStalled) this.end = "stalled";
      else if (isStopped() && step < schedule.totalSteps) {
        await this.save();
        this.end = "stopped";
      }
      if (this.end !== "completed") return;
    }
  }

  /** After the last step: the final weights and the end of the history. */
  async finish(): Promise<TrainingSummary> {
    this.unread.readInto(this.state);
    const { globalStep: steps, seconds, lossSum } = this.state;
    const trainLoss = steps > 0 ? lossSum / steps : NaN;
    const { end, checkpoint } = this;
    let line: LogLine | undefined;
    if (end !== "stopped") {
      if (!this.hasBegun) await this.begin(); // resumed after its last step
      const warning = this.prepared.settings.loadBestModelAtEnd ? restoreBest(this.prepared) : undefined;
      if (warning !== undefined) this.observers.forEach((observer) => observer.onWarning?.(warning));
      line = closingLine(this.state, trainLoss);
      this.state.logHistory.push(line);
    }
    await this.tell((observer) => observer.onEnd?.({ line }));
    return { steps, end, checkpoint, trainLoss, seconds };
  }

  /** Frees gradients, the optimizer's state and metrics that were not read. */
  dispose(): void {
    this.unread.dispose();
    this.prepared.optimizer.zeroGrad();
    this.prepared.optimizer.dispose();
  }

  /** One optimizer step, with its place in the run and its line if it is logged. */
  private async takeStep(): Promise<TrainingStep> {
    const { schedule, settings, sampler, train, lrFactor } = this.prepared;
    const { state } = this;
    const step = state.globalStep + 1; // steps are counted from 1 once they are done
    const pairs = sampler.rowsOf(step - 1).map((row) => train[row]!);
    const logged = schedule.logsAt(step);
    const metrics = this.update(step, pairs, logged);
    state.globalStep = step;
    state.epoch = step / schedule.stepsPerEpoch;
    state.numTokens += plainTokens(pairs);
    state.seconds = this.secondsBefore + (performance.now() - this.started) / 1000;
    if (!this.hasBegun) await this.begin();

    const learningRate = settings.learningRate * lrFactor(step - 1);
    const line = logged ? this.logLine(metrics, learningRate) : undefined;
    const result = trainingStep({ step, epoch: state.epoch, learning_rate: learningRate, logged: line }, metrics);
    await this.tell((observer) => observer.afterStep?.(result));
    return result;
  }

  /** Gradient, clipping, update. Several processes would sum their gradients and metrics before clipping. */
  private update(step: number, pairs: readonly TokenizedPair[], logged: boolean): StepMetrics {
    const { settings, optimizer, lrFactor } = this.prepared;
    const metrics = this.gradientThatFits(pairs, logged);
    tidy(() => {
      const parameters = optimizer.groups.flatMap(({ params }) => params);
      const gradNorm = clipGradNorm_(parameters, settings.maxGradNorm > 0 ? settings.maxGradNorm : Infinity);
      metrics.add("grad_norm", gradNorm, 1);
      this.unread.add({ step, pairs, metrics });
      // The first step is read before anything is written: a run that fails in it leaves nothing.
      if (!this.readsLate || !this.hasBegun || this.unread.length >= MAX_UNREAD) this.unread.readInto(this.state);
      optimizer.step(lrFactor(step - 1), this.readsLate ? { foundInf: this.unread.flagNonFinite(gradNorm) } : {});
      optimizer.zeroGrad();
    });
    return metrics;
  }

  /** The gradient of a step. When memory runs out, it is computed again in smaller batches. */
  private gradientThatFits(pairs: readonly TokenizedPair[], logged: boolean): StepMetrics {
    for (;;) {
      const batches = this.batches(pairs);
      try {
        const metrics = addGradient(pairs, this.context, { batches, logged, checkpoint: this.plan.checkpoint });
        const { pairs: trained, flops } = this.speed.add(batches);
        this.state.pairs += trained;
        this.state.flops += flops;
        return metrics;
      } catch (error) {
        this.prepared.optimizer.zeroGrad();
        const smaller = error instanceof OutOfMemoryError ? smallerPlan(this.plan, batches) : undefined;
        if (!smaller) throw error;
        this.plan = smaller;
        this.state.plan = { maxTokens: smaller.maxTokens, checkpoint: smaller.checkpoint };
        this.observers.forEach((observer) => observer.onSmallerPlan?.(smaller));
      }
    }
  }

  private batches(pairs: readonly TokenizedPair[]): Packing[] {
    const { loss, model, settings } = this.prepared;
    const layout = packOptionsOf(model);
    if (loss.scope !== "batch") return microBatches(pairs, { maxTokens: this.plan.maxTokens, ...layout });
    // What a pair counts for depends on the others of its batch: those are the user's, as in TRL.
    const size = settings.perDeviceTrainBatchSize;
    return Array.from({ length: Math.ceil(pairs.length / size) }, (_, i) => pack(pairs.slice(i * size, (i + 1) * size), layout));
  }

  private async begin(): Promise<void> {
    this.hasBegun = true;
    await this.tell((observer) => observer.onBegin?.());
  }

  /** The means over the steps since the last line, which starts the next ones. */
  private logLine(metrics: StepMetrics, learningRate: number): LogLine {
    const { state } = this;
    this.unread.readInto(state);
    const { loss, ...others } = means(state.pending);
    const { grad_norm: gradNorm } = means(metrics.read()) as { grad_norm: number };
    const line: LogLine = {
      loss: loss!,
      ...others,
      grad_norm: gradNorm, // of this step, as in Hugging Face's Trainer
      learning_rate: learningRate,
      num_tokens: state.numTokens,
      ...this.speed.read(),
      epoch: state.epoch,
      step: state.globalStep,
    };
    state.pending = {};
    state.logHistory.push(line);
    return line;
  }

  /** @returns whether early stopping ends the run */
  private async evaluate(): Promise<boolean> {
    const { loss, model, settings, evaluation: pairs } = this.prepared;
    const limits = loss.scope === "batch" ? { maxPairs: settings.perDeviceEvalBatchSize } : { maxTokens: this.plan.maxTokens };
    const result = await evaluatePairs(pairs, this.context, { ...limits, ...packOptionsOf(model) });
    const { globalStep: step, epoch, numTokens } = this.state;
    const line: LogLine = {
      ...Object.fromEntries(Object.entries(result.means).map(([name, value]) => [`eval_${name}`, value])),
      eval_num_tokens: numTokens,
      eval_runtime: result.seconds,
      eval_samples_per_second: pairs.length / result.seconds,
      eval_steps_per_second: result.batches / result.seconds,
      epoch,
      step,
    };
    this.state.logHistory.push(line);
    await this.tell((observer) => observer.afterEvaluation?.(line));
    return judgeEvaluation(line, this.prepared);
  }

  private async save(): Promise<void> {
    this.unread.readInto(this.state); // nothing is saved that is not finite
    const folder = checkpointFolder(this.prepared.settings.outputDir, this.state.globalStep);
    if (this.checkpoint === folder) return;
    await this.tell((observer) => observer.onSave?.(folder));
    this.checkpoint = folder;
  }

  /** Calls a hook of each observer, and waits for those that do something. */
  private async tell(call: (observer: RunObserver) => void | Promise<void>): Promise<void> {
    for (const observer of this.observers) {
      const done = call(observer);
      if (done) await done;
    }
  }
}

function closingLine({ globalStep: steps, epoch, seconds, pairs, flops }: TrainerState, trainLoss: number): LogLine {
  return {
    train_runtime: seconds,
    train_samples_per_second: pairs / seconds,
    train_steps_per_second: steps / seconds,
    total_flos: flops,
    train_loss: trainLoss,
    epoch,
    step: steps,
  };
}

/** Tokens of all answers with their prompts, which TRL counts. */
function plainTokens(pairs: readonly TokenizedPair[]): number {
  return pairs.flatMap(answersOf).reduce((sum, { ids }) => sum + ids.length, 0);
}
