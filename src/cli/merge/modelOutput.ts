/** The folder that a command writes a model to: claimed before the work, and replaced all at once at its end. */
import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../../base/errors";
import { expectUsableFolder, OutputLock } from "../../base/files/outputFolder";
import { realPath } from "../../base/files/paths";
import { removeEntries, SetAside } from "../../base/files/setAside";
import { flush, temporaryName } from "../../base/files/wholeFiles";
import { holdingsOf, modelEntriesIn, runEntriesIn } from "../../train/output/entries";
import { PREVIOUS, recoverFolder } from "../../train/output/ownership";

export class ModelOutput {
  private aside: SetAside | undefined;

  private constructor(
    private readonly folder: string,
    /** A hidden folder inside it, which the model is written to. */
    readonly staging: string,
    private readonly lock: OutputLock,
    /** Whether existing files are replaced. */
    readonly replaces: boolean,
  ) {
    lock.beforeRelease = () => this.putBack();
  }

  /**
   * @param overwriting the command to paste for replacing existing files
   * @throws InputError when the folder is not empty and is not to be overwritten, or another process writes into it
   */
  static claim(out: string, overwrite: boolean, overwriting: string): ModelOutput {
    expectUsableFolder(out, "--out");
    const lock = OutputLock.acquire(out, "--out");
    try {
      const folder = realPath(out);
      recoverFolder(folder);
      const previous = SetAside.find(folder, PREVIOUS);
      if (previous && !overwrite)
        throw new InputError(
          `Expected a folder without an unfinished overwrite for '--out' but in '${out}' a command was killed before its ` +
            `result was in place; what it was to replace is in ${previous.path}. Restore it with\n` +
            `  ${previous.restoreCommand(runEntriesIn(folder))}\nor replace it with\n  ${overwriting}`,
        );
      const [checkpoint] = holdingsOf(folder).checkpoints;
      if (checkpoint !== undefined)
        throw new InputError(
          `Expected a folder without a training run for '--out' but '${out}' holds ${checkpoint}, and resuming that run would ` +
            "replace the model. Name another folder",
        );
      const files = readdirSync(folder).filter((name) => !name.startsWith(".smaug"));
      if (files.length > 0 && !overwrite)
        throw new InputError(
          `Expected a new or empty folder for '--out' but '${out}' holds ${described(folder, files)}. ` +
            `To replace a model or adapter in it, while your own files stay:\n  ${overwriting}`,
        );
      const staging = join(folder, temporaryName());
      mkdirSync(staging);
      return new ModelOutput(folder, staging, lock, files.length > 0 || SetAside.find(folder, PREVIOUS) !== undefined);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Moves the files from the hidden folder into place. */
  publish(): void {
    const { folder, staging } = this;
    const pending = SetAside.find(folder, PREVIOUS);
    const entries = modelEntriesIn(folder);
    if (pending) removeEntries(folder, runEntriesIn(folder)); // of a run or command that was killed
    this.aside = pending ?? (entries.length === 0 ? undefined : SetAside.move(folder, PREVIOUS, entries));
    for (const name of configLast(readdirSync(staging))) moveInto(staging, folder, name);
    flush(folder);
    this.aside?.discard();
    this.aside = undefined;
  }

  /** Called at the end, after success and failure. */
  release(): void {
    this.lock.release();
  }

  private putBack(): void {
    rmSync(this.staging, { recursive: true, force: true });
    if (!this.aside) return;
    removeEntries(this.folder, modelEntriesIn(this.folder));
    this.aside.restore();
  }
}

function described(folder: string, files: readonly string[]): string {
  if (files.includes("adapter_config.json")) return "an adapter";
  return holdingsOf(folder).weights.length > 0 ? "a model" : "other files";
}

/** The configuration comes last: with it a folder is complete. */
const configLast = (names: readonly string[]): string[] =>
  [...names].sort((a, b) => Number(a === "config.json") - Number(b === "config.json"));

function moveInto(from: string, to: string, name: string): void {
  try {
    renameSync(join(from, name), join(to, name));
  } catch (error) {
    // A folder of chat templates that also holds the user's files.
    if (!["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code!)) throw error;
    for (const each of readdirSync(join(from, name))) renameSync(join(from, name, each), join(to, name, each));
    flush(join(to, name));
    rmdirSync(join(from, name));
  }
}
