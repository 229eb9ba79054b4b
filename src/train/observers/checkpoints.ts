/** Writes a run's checkpoints and final weights, and removes checkpoints beyond the limit. */

import { bestCheckpoint } from "../best";
import { rotateCheckpoints, saveCheckpoint, saveWeights } from "../checkpoint/save";
import type { RunOutput } from "../output/ownership";
import type { Preparation } from "../prepare/prepare";
import type { RunEnd, RunObserver } from "./observer";

export class CheckpointWriter implements RunObserver {
  /** The checkpoint to resume from if writing fails. */
  private newest: string | undefined;

  constructor(
    private readonly prepared: Preparation,
    private readonly output: RunOutput,
  ) {
    this.newest = prepared.resumed;
  }

  async onSave(folder: string): Promise<void> {
    const { settings, state } = this.prepared;
    await this.writing("a checkpoint", async () => {
      await saveCheckpoint(settings.outputDir, state, this.prepared);
      this.newest = folder;
      this.output.replaced();
      const best = settings.loadBestModelAtEnd ? bestCheckpoint(this.prepared) : undefined;
      rotateCheckpoints(settings.outputDir, settings.saveTotalLimit, [folder, best]);
    });
  }

  async onEnd({ line }: RunEnd): Promise<void> {
    if (!line) return;
    const { model, settings } = this.prepared;
    await this.writing("the final weights", () => saveWeights(model, settings.outputDir));
    this.output.replaced();
  }

  /** Writes something. A system error becomes one that names the checkpoint to resume from. */
  private async writing(what: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      const last = this.newest === undefined ? "there is no checkpoint yet" : `the last checkpoint is ${this.newest}`;
      throw new Error(`Expected to write ${what} into ${this.prepared.settings.outputDir} but received: ${message}; ${last}`, {
        cause: error,
      });
    }
  }
}
