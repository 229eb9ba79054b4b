/**
 * What a run writes as it goes: `metrics.jsonl` (one line that states the run, then one a log), `trainer_state.json` and
 * TensorBoard events under `runs/`. Nothing appears before the first step is done. A log that cannot be written, as on a
 * full disk, does not end the run: it is a warning, and the file is completed as soon as writing works again.
 */
import { join } from "node:path";
import { TensorBoardWriter } from "./tensorboard";
import type { LogLine } from "../metrics/names";
import { STATE_FILE, type TrainerState, writeTrainerState } from "../checkpoint/state";
import { makeFolder } from "../../base/files/wholeFiles";
import { appendWhole } from "../../base/files/wholeFiles";
import { writeWhole } from "../../base/files/wholeFiles";

/** Milliseconds between two writes of the state beside checkpoints: it holds the whole history. */
const STATE_MS = 2000;
/** Milliseconds before a file that could not be written is tried again. */
const RETRY_MS = 2000;
const METRICS = "metrics.jsonl";
const EVENTS = "runs";

export class RunFiles {
  private readonly events: TensorBoardWriter | undefined;
  private stateWritten = 0;
  /** Files that could not be written: why, and when that was last tried. */
  private readonly failing = new Map<string, { readonly message: string; readonly at: number }>();

  private constructor(
    private readonly folder: string,
    private readonly statement: object,
    private readonly warn: (message: string) => void,
    tensorboard: boolean,
  ) {
    this.events = tensorboard ? new TensorBoardWriter(join(folder, EVENTS)) : undefined;
  }

  /**
   * Begins the files. The lines of a resumed run's history are written again, those of steps that were lost are not.
   * What an earlier run left in the folder has been set aside by then (ownership.ts).
   */
  static async begin(
    folder: string,
    statement: object,
    history: readonly LogLine[],
    { tensorboard, warn }: { tensorboard: boolean; warn: (message: string) => void },
  ): Promise<RunFiles> {
    makeFolder(folder);
    const files = new RunFiles(folder, statement, warn, tensorboard);
    await files.attempt(METRICS, () => files.rewriteMetrics(history));
    await files.attempt(EVENTS, () => files.events?.flush());
    return files;
  }

  /** Adds a line of metrics; `state` already holds it. */
  async log(line: LogLine, state: TrainerState): Promise<void> {
    const isWhole = !this.failing.has(METRICS);
    await this.attempt(METRICS, () =>
      isWhole
        ? appendWhole(join(this.folder, METRICS), Buffer.from(`${JSON.stringify(line)}\n`))
        : this.rewriteMetrics(state.logHistory),
    );
    const { step, epoch, ...values } = line;
    const tags = Object.entries(values).map(([name, value]) => [tagOf(name), value]);
    this.events?.add(step!, Object.fromEntries([...tags, ["train/epoch", epoch]]) as Record<string, number>);
    await this.attempt(EVENTS, () => this.events?.flush());
    if (performance.now() - this.stateWritten > STATE_MS) await this.writeState(state);
  }

  async writeState(state: TrainerState): Promise<void> {
    await this.attempt(STATE_FILE, () => writeTrainerState(this.folder, state));
    this.stateWritten = performance.now();
  }

  /** Completes what could not be written before; the last call of a run. */
  async complete(state: TrainerState): Promise<void> {
    const names = [...this.failing.keys()];
    this.failing.forEach(({ message }, name) => this.failing.set(name, { message, at: -Infinity }));
    await this.writeState(state);
    if (names.includes(METRICS)) await this.attempt(METRICS, () => this.rewriteMetrics(state.logHistory));
    if (names.includes(EVENTS)) await this.attempt(EVENTS, () => this.events?.flush());
    if (this.failing.size > 0)
      this.warn(`${this.described()}. What was logged since is missing there; checkpoints and weights are complete`);
  }

  /** Rewrites metrics.jsonl: the statement of the run, then the history. */
  private async rewriteMetrics(history: readonly LogLine[]): Promise<void> {
    await writeWhole(
      join(this.folder, METRICS),
      [this.statement, ...history].map((line) => `${JSON.stringify(line)}\n`).join(""),
    );
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

/** Hugging Face's: `eval/…` for what an evaluation measured, `train/…` for the rest. */
function tagOf(name: string): string {
  return name.startsWith("eval_") ? `eval/${name.slice("eval_".length)}` : `train/${name}`;
}
