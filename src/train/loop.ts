/**
 * One run from its first step to its last: gradient, update, logs, evaluations, checkpoints. One optimizer step takes some
 * pairs, runs them through the model in packed micro-batches (preference/), and takes the mean of the loss over all of
 * them; how they are packed changes nothing.
 */
import type { EventEmitter } from "node:events";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { type TokenizedPair, answersOf } from "../data/tokenize/tokenizedPair";
import { InputError } from "../base/errors";
import { OutOfMemoryError } from "../native/errors";
import { clipGradNorm_ } from "../optim";
import { type Packing, microBatches, pack, packOptionsOf } from "../preference";
import { type Tensor, keep, noGrad, tidy } from "../torch";
import { type PassContext, evaluateBatch, trainBatch } from "./step";
import { restoreWeights, rotateCheckpoints, saveCheckpoint, saveWeights, verifyCheckpoint } from "./checkpoint/checkpoint";
import { type MemoryPlan, smallerPlan } from "./memory";
import { NonFiniteError } from "./nonFinite";
import type { RunOutput } from "./output/ownership";
import type { Preparation } from "./prepare/prepare";
import { inBatchesThatFit } from "./outOfMemory";
import { RunFiles } from "./observers/runLogs";
import { Speedometer } from "./metrics/speed";
import { StepMetrics, joinTotals, means } from "./metrics/stepMetrics";
import type { LogLine } from "./metrics/names";
import type { TrainerState } from "./checkpoint/state";
import { type TrainingStep, trainingStep } from "./metrics/trainingStep";
import { Watch } from "./observers/failureMonitor";

/** How a run ended. */
export interface TrainingSummary {
  readonly steps: number;
  /** `completed`; `stopped` by `stop()`, with a checkpoint and no final weights; `stalled`: early stopping. */
  readonly end: "completed" | "stopped" | "stalled";
  /** The checkpoint of a stopped run. */
  readonly checkpoint: string | undefined;
  /** Mean loss over all steps of this start. */
  readonly trainLoss: number;
  readonly seconds: number;
}

/** What a trainer tells; a listener's arguments. */
export interface TrainerEvents {
  /** What was found and chosen before the first step. */
  prepared: [preparation: Preparation];
  /** The reference pass, in pairs. */
  reference: [done: number, total: number];
  step: [step: TrainingStep, totalSteps: number];
  log: [line: LogLine];
  evaluate: [line: LogLine];
  save: [folder: string];
  /** A smaller batch, after the device ran out of memory. */
  plan: [plan: MemoryPlan];
  warning: [message: string];
}

/** Maximum number of steps whose metrics are kept on the device, however rarely a run logs. */
const MAX_UNREAD = 100;

/** The state of one run in progress. */
export class Run {
  private plan: MemoryPlan;
  private readonly state: TrainerState;
  private readonly watch: Watch;
  private readonly speed: Speedometer;
  private files: RunFiles | undefined;
  /** Steps whose metrics are still on the device. */
  private unread: { step: number; pairs: readonly TokenizedPair[]; metrics: StepMetrics }[] = [];
  /** Set by the first step that was not finite: the optimizer then updates nothing, until the host learns of it. */
  private bad: Tensor | undefined;
  private end: TrainingSummary["end"] = "completed";
  private checkpoint: string | undefined;
  private readonly started = performance.now();
  private readonly secondsBefore: number;
  private readonly readsLate: boolean;

  /** `readsLate`: leave metrics on the device until a line is logged, so that a step need not wait for the one before. */
  constructor(
    private readonly prepared: Preparation,
    private readonly events: EventEmitter<TrainerEvents>,
    private readonly output: RunOutput,
    { readsLate = prepared.device !== "cpu" } = {},
  ) {
    this.readsLate = readsLate;
    this.plan = prepared.plan;
    this.state = prepared.state;
    this.secondsBefore = this.state.seconds;
    this.watch = new Watch(prepared.loss, prepared.train.length);
    this.speed = new Speedometer(prepared.model, prepared.device);
    for (const note of prepared.notes) events.emit("warning", note);
    for (const each of prepared.changed) events.emit("warning", `${each} in the run that goes on`);
    if (prepared.start && !prepared.startIsReference)
      events.emit(
        "warning",
        `the start is not the reference: before the first step the answers differ from it by up to ` +
          `${prepared.start.maxAbs.toPrecision(2)} nats. That is as ref_adapter_name_or_path asks; rewards begin there`,
      );
  }

  async *steps(isStopped: () => boolean): AsyncGenerator<TrainingStep> {
    const { schedule, settings, sampler } = this.prepared;
    if (settings.evalOnStart && this.state.globalStep === 0) await this.evaluate();
    while (this.state.globalStep < schedule.totalSteps) {
      const step = this.state.globalStep + 1; // steps are counted from 1 once they are done
      const pairs = sampler.rowsOf(step - 1).map((row) => this.prepared.train[row]!);
      const last = step === schedule.totalSteps;
      const logged = schedule.logsAt(step);
      const metrics = this.optimizerStep(step, pairs, logged);
      this.state.globalStep = step;
      this.state.epoch = step / schedule.stepsPerEpoch;
      this.state.numTokens += plainTokens(pairs);
      this.state.seconds = this.secondsBefore + (performance.now() - this.started) / 1000;

      const learningRate = settings.learningRate * this.prepared.lrFactor(step - 1);
      this.files ??= await this.begin();
      const line = logged ? await this.log(metrics, learningRate) : undefined;
      const result = trainingStep({ step, epoch: this.state.epoch, learning_rate: learningRate, logged: line }, metrics);
      this.events.emit("step", result, schedule.totalSteps);

      const stalled = (schedule.evaluatesAt(step) && (await this.evaluate())) === "stalled";
      const isBest = settings.saveStrategy === "best" && this.state.bestStep === step;
      if (schedule.savesAt(step) || isBest) await this.save();
      yield result;
      await setImmediate(); // others get a turn
      if (stalled) this.end = "stalled";
      else if (isStopped() && !last) {
        await this.save();
        this.end = "stopped";
      }
      if (this.end !== "completed") return;
    }
  }

  /** After the last step: the final weights and the end of the history. */
  async finish(): Promise<TrainingSummary> {
    const { model, settings } = this.prepared;
    this.read();
    const { globalStep: steps, epoch, seconds, lossSum, pairs, flops } = this.state;
    const trainLoss = steps > 0 ? lossSum / steps : NaN;
    if (this.end !== "stopped") {
      this.files ??= await this.begin(); // a run that goes on after its last step
      if (settings.loadBestModelAtEnd) this.restoreBest();
      await this.writing("the final weights", () => saveWeights(model, settings.outputDir));
      this.output.replaced();
      const line = {
        train_runtime: seconds,
        train_samples_per_second: pairs / seconds,
        train_steps_per_second: steps / seconds,
        total_flos: flops,
        train_loss: trainLoss,
        epoch,
        step: steps,
      };
      this.state.logHistory.push(line);
      await this.files.log(line, this.state);
    }
    await this.files?.complete(this.state);
    return { steps, end: this.end, checkpoint: this.checkpoint, trainLoss, seconds };
  }

  private restoreBest(): void {
    const { bestStep, globalStep } = this.state;
    if (bestStep === null || bestStep === globalStep) return;
    const best = this.bestCheckpoint();
    const kept = "the final weights are those of the last step";
    if (best === null) return void this.events.emit("warning", `the best checkpoint, of step ${bestStep}, is gone; ${kept}`);
    try {
      verifyCheckpoint(best);
      restoreWeights(this.prepared.model, best);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.events.emit("warning", `the best checkpoint, of step ${bestStep}, is damaged: ${error.message}; ${kept}`);
    }
  }

  /** The best checkpoint's folder, here or beside the checkpoint that the run went on from. */
  private bestCheckpoint(): string | null {
    const { settings, resumed } = this.prepared;
    const places = [settings.outputDir, ...(resumed ? [dirname(resumed)] : [])];
    return places.map((place) => join(place, `checkpoint-${this.state.bestStep}`)).find((folder) => existsSync(folder)) ?? null;
  }

  dispose(): void {
    for (const { metrics } of this.unread) metrics.dispose();
    this.bad?.dispose();
    this.prepared.optimizer.zeroGrad();
    this.prepared.optimizer.dispose();
  }

  /** Gradient, clipping, update. When memory runs out the step is taken again in smaller batches. */
  private optimizerStep(step: number, pairs: readonly TokenizedPair[], logged: boolean): StepMetrics {
    const { model, device, loss, reference, settings, optimizer, lrFactor } = this.prepared;
    for (;;) {
      const metrics = new StepMetrics();
      const { checkpoint } = this.plan;
      const context: PassContext = {
        model,
        device,
        loss,
        reference,
        pairs,
        metrics,
        logged,
        checkpoint,
        ldAlpha: settings.ldAlpha,
      };
      try {
        const batches = this.batches(pairs);
        for (const packing of batches) trainBatch(packing, context);
        const { pairs: trained, flops } = this.speed.add(batches);
        this.state.pairs += trained;
        this.state.flops += flops;
      } catch (error) {
        metrics.dispose();
        optimizer.zeroGrad();
        const smaller = error instanceof OutOfMemoryError ? smallerPlan(this.plan, this.batches(pairs)) : undefined;
        if (!smaller) throw error;
        this.plan = smaller;
        this.state.plan = { maxTokens: smaller.maxTokens, checkpoint: smaller.checkpoint };
        this.events.emit("plan", smaller);
        continue;
      }
      tidy(() => {
        const parameters = optimizer.groups.flatMap(({ params }) => params);
        const gradNorm = clipGradNorm_(parameters, settings.maxGradNorm > 0 ? settings.maxGradNorm : Infinity);
        metrics.add("grad_norm", gradNorm, 1);
        this.unread.push({ step, pairs, metrics });
        // The first step is read before anything is written: a run that fails in it leaves nothing.
        if (!this.readsLate || !this.files || this.unread.length >= MAX_UNREAD) this.read();
        optimizer.step(lrFactor(step - 1), this.readsLate ? { foundInf: this.rememberNotFinite(gradNorm) } : {});
        optimizer.zeroGrad();
      });
      return metrics;
    }
  }

  /** 1 from the first step on whose gradient is not finite, else 0. */
  private rememberNotFinite(norm: Tensor): Tensor {
    const now = norm.isfinite().logicalNot().to("float32");
    const bad = keep(this.bad ? this.bad.maximum(now) : now);
    this.bad?.dispose();
    this.bad = bad;
    return bad;
  }

  private batches(pairs: readonly TokenizedPair[]): Packing[] {
    const { loss, model, settings } = this.prepared;
    const layout = packOptionsOf(model);
    if (loss.scope !== "batch") return microBatches(pairs, { maxTokens: this.plan.maxTokens, ...layout });
    // What a pair counts for depends on the others of its batch: those are the user's, as in TRL.
    const size = settings.perDeviceTrainBatchSize;
    return Array.from({ length: Math.ceil(pairs.length / size) }, (_, i) => pack(pairs.slice(i * size, (i + 1) * size), layout));
  }

  /** Brings metrics to the host, adds them up, and stops at the first step that was not finite. */
  private read(): void {
    StepMetrics.readAll(this.unread.map(({ metrics }) => metrics));
    for (const { step, pairs, metrics } of this.unread) {
      const totals = metrics.read();
      const { loss, grad_norm: norm } = means(totals) as { loss: number; grad_norm: number };
      if (!Number.isFinite(loss) || !Number.isFinite(norm)) throw new NonFiniteError(step, pairs, { loss, norm });
      this.state.lossSum += loss;
      this.state.pending = joinTotals(this.state.pending, totals);
    }
    this.unread = [];
  }

  private async begin(): Promise<RunFiles> {
    const { settings, statement } = this.prepared;
    this.output.begin();
    const files = await RunFiles.begin(settings.outputDir, statement, this.state.logHistory, {
      tensorboard: settings.reportTo !== "none",
      warn: (message) => void this.events.emit("warning", message),
    });
    this.output.started();
    return files;
  }

  private async log(metrics: StepMetrics, learningRate: number): Promise<LogLine> {
    this.read();
    const { pending, globalStep: step, epoch, numTokens } = this.state;
    const { loss, ...others } = means(pending);
    const { grad_norm: gradNorm } = means(metrics.read()) as { grad_norm: number };
    const line: LogLine = {
      loss: loss!,
      ...others,
      grad_norm: gradNorm, // of this step, as in Hugging Face's Trainer
      learning_rate: learningRate,
      num_tokens: numTokens,
      ...this.speed.read(),
      epoch,
      step,
    };
    this.state.pending = {};
    this.state.logHistory.push(line);
    await this.files!.log(line, this.state);
    this.events.emit("log", line);
    for (const warning of this.watch.after(line)) this.events.emit("warning", warning);
    return line;
  }

  private async evaluate(): Promise<"stalled" | undefined> {
    const { model, device, loss, reference, settings, evaluation: pairs } = this.prepared;
    const metrics = new StepMetrics();
    const start = performance.now();
    const context: PassContext = {
      model,
      device,
      loss,
      reference,
      pairs,
      metrics,
      logged: true,
      checkpoint: false,
      ldAlpha: settings.ldAlpha,
    };
    const limits = loss.scope === "batch" ? { maxPairs: settings.perDeviceEvalBatchSize } : { maxTokens: this.plan.maxTokens };
    const training = model.training;
    model.eval();
    let batches = 0;
    try {
      await inBatchesThatFit(pairs, { ...limits, ...packOptionsOf(model) }, async (packing) => {
        noGrad(() => evaluateBatch(packing, context));
        batches++;
        await setImmediate();
      });
    } finally {
      model.train(training);
    }
    const measured = means(metrics.read());
    const seconds = (performance.now() - start) / 1000;
    const { globalStep: step, epoch } = this.state;
    const line: LogLine = {
      ...Object.fromEntries(Object.entries(measured).map(([name, value]) => [`eval_${name}`, value])),
      eval_num_tokens: this.state.numTokens,
      eval_runtime: seconds,
      eval_samples_per_second: pairs.length / seconds,
      eval_steps_per_second: batches / seconds,
      epoch,
      step,
    };
    this.state.logHistory.push(line);
    if (step > 0) await (this.files ??= await this.begin()).log(line, this.state);
    this.events.emit("evaluate", line);
    return this.judge(line);
  }

  /** Whether this evaluation is the best so far, or one too many without a better one. */
  private judge(line: LogLine): "stalled" | undefined {
    const { settings, bestMetric: metric } = this.prepared;
    const value = (line as Readonly<Record<string, number | undefined>>)[metric.name];
    if (value === undefined || this.state.globalStep === 0) return undefined;
    const { bestMetric } = this.state;
    if (Number.isFinite(value) && (bestMetric === null || (metric.greaterIsBetter ? value > bestMetric : value < bestMetric))) {
      this.state.bestMetric = value;
      this.state.bestStep = this.state.globalStep;
      this.state.evaluationsSinceBest = 0;
      return undefined;
    }
    this.state.evaluationsSinceBest++;
    const { earlyStoppingPatience: patience } = settings;
    return patience !== null && this.state.evaluationsSinceBest >= patience ? "stalled" : undefined;
  }

  private async save(): Promise<void> {
    this.read(); // what is saved is finite
    const { settings, model, optimizer, device } = this.prepared;
    const { outputDir, saveTotalLimit } = settings;
    if (this.checkpoint?.endsWith(`checkpoint-${this.state.globalStep}`)) return;
    await this.writing("a checkpoint", async () => {
      const saved = await saveCheckpoint(outputDir, this.state, { model, optimizer, device });
      this.checkpoint = saved;
      this.output.replaced();
      rotateCheckpoints(outputDir, saveTotalLimit, [saved, settings.loadBestModelAtEnd ? this.bestCheckpoint() : null]);
      await this.files!.writeState(this.state);
      this.events.emit("save", saved);
    });
  }

  /** Writes something; a failure is an error that names it and the checkpoint to resume from. */
  private async writing(what: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      const resumable = this.checkpoint ?? this.prepared.resumed;
      const last = resumable ? `the last checkpoint is ${resumable}` : "there is no checkpoint yet";
      throw new Error(`Expected to write ${what} into ${this.prepared.settings.outputDir} but received: ${message}; ${last}`, {
        cause: error,
      });
    }
  }
}

/** Tokens of all answers with their prompts, which TRL counts. */
function plainTokens(pairs: readonly TokenizedPair[]): number {
  return pairs.flatMap(answersOf).reduce((sum, { ids }) => sum + ids.length, 0);
}
