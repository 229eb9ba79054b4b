/**
 * What a run writes as it goes: `metrics.jsonl` (one line that states the run, then one a log), `trainer_state.json` and
 * TensorBoard events under `runs/`. Nothing appears before the first step is done.
 */
import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "../base/wholeFiles";
import { TensorBoardWriter } from "./tensorboard";
import { type LogLine, type TrainerState, writeTrainerState } from "./trainerState";

/** Milliseconds between two writes of the state beside checkpoints: it holds the whole history. */
const STATE_MS = 2000;

export class RunFiles {
  private readonly metrics: string;
  private readonly events: TensorBoardWriter | undefined;
  private stateWritten = 0;

  private constructor(
    private readonly folder: string,
    tensorboard: boolean,
  ) {
    this.metrics = join(folder, "metrics.jsonl");
    this.events = tensorboard ? new TensorBoardWriter(join(folder, "runs")) : undefined;
  }

  /**
   * Begins the files. The lines of a resumed run's history are written again, those of steps that were lost are not.
   * What an earlier run left in the folder has been set aside by then (ownership.ts).
   */
  static async begin(
    folder: string,
    statement: object,
    history: readonly LogLine[],
    { tensorboard }: { tensorboard: boolean },
  ): Promise<RunFiles> {
    mkdirSync(folder, { recursive: true });
    const files = new RunFiles(folder, tensorboard);
    await writeWhole(files.metrics, [statement, ...history].map((line) => `${JSON.stringify(line)}\n`).join(""));
    return files;
  }

  /** Adds a line of metrics; `state` already holds it. */
  async log(line: LogLine, state: TrainerState): Promise<void> {
    appendFileSync(this.metrics, `${JSON.stringify(line)}\n`);
    const { step, epoch, ...values } = line;
    const tags = Object.entries(values).map(([name, value]) => [tagOf(name), value]);
    this.events?.add(step!, Object.fromEntries([...tags, ["train/epoch", epoch]]) as Record<string, number>);
    if (performance.now() - this.stateWritten > STATE_MS) await this.writeState(state);
  }

  async writeState(state: TrainerState): Promise<void> {
    await writeTrainerState(this.folder, state);
    this.stateWritten = performance.now();
  }
}

/** Hugging Face's: `eval/…` for what an evaluation measured, `train/…` for the rest. */
function tagOf(name: string): string {
  return name.startsWith("eval_") ? `eval/${name.slice("eval_".length)}` : `train/${name}`;
}
