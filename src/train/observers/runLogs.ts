/**
 * The logs of a run: `metrics.jsonl` (the run header, then the history line by line), `trainer_state.json` and TensorBoard
 * events under `runs/`. A log that cannot be written, for example on a full disk, does not end the run: it is a warning,
 * and the file is completed as soon as writing works again.
 */
import { join } from "node:path";
import { appendWhole, makeFolder, writeWhole } from "../../base/files/wholeFiles";
import { writeTrainerState } from "../checkpoint/state";
import type { LogLine, TrainingStep } from "../metrics/names";
import { EVENTS_FOLDER, METRICS_FILE, STATE_FILE } from "../output/entries";
import type { RunOutput } from "../output/ownership";
import type { Preparation } from "../prepare/prepare";
import type { RunEnd, RunObserver } from "./observer";
import { TensorBoardWriter } from "./tensorboard";

/** Minimum number of milliseconds between two writes of the state apart from checkpoints: it holds the whole history. */
const STATE_MS = 2000;
/** Milliseconds before a file that could not be written is tried again. */
const RETRY_MS = 2000;

export class RunLogs implements RunObserver {
  private readonly folder: string;
  private events: TensorBoardWriter | undefined;
  private stateWritten = 0;
  /** Files that could not be written: why, and when that was last tried. */
  private readonly failing = new Map<string, { readonly message: string; readonly at: number }>();

  constructor(
    private readonly prepared: Pick<Preparation, "settings" | "state" | "header">,
    private readonly output: Pick<RunOutput, "begin" | "started">,
    private readonly warn: (message: string) => void,
  ) {
    this.folder = prepared.settings.outputDir;
  }

  /**
   * Starts the files. What an earlier run left in the folder is set aside first. The history of a resumed run is written
   * again, without the steps that were lost.
   */
  async onBegin(): Promise<void> {
    this.output.begin();
    makeFolder(this.folder);
    if (this.prepared.settings.reportTo !== "none") this.events = new TensorBoardWriter(join(this.folder, EVENTS_FOLDER));
    await this.attempt(METRICS_FILE, () => this.rewriteMetrics());
    await this.attempt(EVENTS_FOLDER, () => this.events?.flush());
    this.output.started();
  }

  afterStep({ logged }: Pick<TrainingStep, "logged">): Promise<void> | undefined {
    return logged && this.log(logged);
  }

  afterEvaluation(line: LogLine): Promise<void> | undefined {
    return line.step > 0 ? this.log(line) : undefined; // onBegin writes that of step 0
  }

  onSave(): Promise<void> {
    return this.writeState();
  }

  async onEnd({ line }: RunEnd): Promise<void> {
    if (line) await this.log(line);
    await this.complete();
  }

  /** Adds a line, which the history already has. */
  private async log(line: LogLine): Promise<void> {
    const isWhole = !this.failing.has(METRICS_FILE);
    await this.attempt(METRICS_FILE, () =>
      isWhole ? appendWhole(join(this.folder, METRICS_FILE), Buffer.from(`${JSON.stringify(line)}\n`)) : this.rewriteMetrics(),
    );
    const { step, epoch, ...values } = line;
    const tags = Object.entries(values).map(([name, value]) => [tagOf(name), value]);
    this.events?.add(step, Object.fromEntries([...tags, ["train/epoch", epoch]]) as Record<string, number>);
    await this.attempt(EVENTS_FOLDER, () => this.events?.flush());
    if (performance.now() - this.stateWritten > STATE_MS) await this.writeState();
  }

  private async writeState(): Promise<void> {
    await this.attempt(STATE_FILE, () => writeTrainerState(this.folder, this.prepared.state));
    this.stateWritten = performance.now();
  }

  /** Completes what could not be written before. */
  private async complete(): Promise<void> {
    const names = [...this.failing.keys()];
    this.failing.forEach(({ message }, name) => this.failing.set(name, { message, at: -Infinity }));
    await this.writeState();
    if (names.includes(METRICS_FILE)) await this.attempt(METRICS_FILE, () => this.rewriteMetrics());
    if (names.includes(EVENTS_FOLDER)) await this.attempt(EVENTS_FOLDER, () => this.events?.flush());
    if (this.failing.size > 0)
      this.warn(`${this.described()}. What was logged since is missing there; checkpoints and weights are complete`);
  }

  private async rewriteMetrics(): Promise<void> {
    const lines = [this.prepared.header, ...this.prepared.state.logHistory];
    await writeWhole(join(this.folder, METRICS_FILE), lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }

  /** Writes a log. A failure is reported once, until all logs can be written again. */
  private async attempt(name: string, write: () => void | Promise<void>): Promise<void> {
    const before = this.failing.get(name);
    if (before && performance.now() - before.at < RETRY_MS) return;
    try {
      await write();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      const isFirst = this.failing.size === 0;
      this.failing.set(name, { message, at: performance.now() });
      if (isFirst)
        this.warn(`${this.described()}. Training continues, and the logs are completed as soon as they can be written again`);
      return;
    }
    if (this.failing.delete(name) && this.failing.size === 0)
      this.warn(`the logs in ${this.folder} can be written again, and are complete`);
  }

  private described(): string {
    const messages = new Set([...this.failing.values()].map(({ message }) => message));
    const paths = [...this.failing.keys()].map((name) => join(this.folder, name));
    return `${paths.join(", ")} cannot be written: ${[...messages].join("; ")}`;
  }
}

/** The name in TensorBoard, as Hugging Face has it: `eval/…` for metrics of an evaluation, `train/…` for the rest. */
function tagOf(name: string): string {
  return name.startsWith("eval_") ? `eval/${name.slice("eval_".length)}` : `train/${name}`;
}
