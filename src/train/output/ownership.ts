/**
 * Ownership of a run's folder. One run at a time holds it. A folder with another run's checkpoints or weights is
 * refused before any work, unless that run is resumed or is to be overwritten. What is overwritten is set aside in a
 * hidden folder when the new run writes its first file, and deleted once the new run's first checkpoint or final weights
 * are in place; a run that ends earlier puts it back. A resumed run sets aside the results of its earlier end in the same
 * way.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../../base/errors";
import { readInputJson } from "../../base/files/inputFiles";
import { expectUsableFolder, OutputLock } from "../../base/files/outputFolder";
import { pathInside, realPath } from "../../base/files/paths";
import { removeEntries, SetAside } from "../../base/files/setAside";
import { removeAbandoned } from "../../base/files/wholeFiles";
import {
  eventFilesIn,
  type Holdings,
  holdingsOf,
  LOGS,
  logEntriesIn,
  resultEntriesIn,
  runEntriesIn,
  STATE_FILE,
} from "./entries";

/** The hidden folder of what a run, or another command, is about to overwrite. */
export const PREVIOUS = ".smaug-previous";
/** Results of an earlier end of the run that is being resumed. */
const RESULTS = ".smaug-results";

export interface OutputRequest {
  readonly folder: string;
  readonly overwrite: boolean;
  /** A checkpoint's folder, or true for the newest. */
  readonly resume: string | boolean | null;
  /** How the user asks to resume or to overwrite, ready to paste. */
  readonly ways: { readonly resume: string; readonly overwrite: string };
}

/** For a program. */
export const LIBRARY_WAYS = { resume: "resumeFromCheckpoint: true", overwrite: "overwriteOutputDir: true" };

export class RunOutput {
  private aside: SetAside | undefined;
  private begun = false;
  /** Entries to remove when the run ends without a checkpoint or final weights. */
  private partial: () => string[] = () => [];

  private constructor(
    private readonly folder: string,
    private readonly lock: OutputLock,
    private readonly mode: "fresh" | "resume" | "overwrite",
  ) {
    lock.beforeRelease = () => this.putBack();
  }

  /**
   * Takes a folder for a run, before any work.
   *
   * @throws InputError when another run holds it, or it has another run's checkpoints or weights
   */
  static claim(request: OutputRequest): RunOutput {
    expectUsableFolder(request.folder, "output_dir");
    const lock = OutputLock.acquire(request.folder, "output_dir");
    try {
      const folder = realPath(request.folder);
      recoverFolder(folder);
      return new RunOutput(folder, lock, modeOf(folder, request));
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** Called before the first file is written: what is to be replaced is set aside. */
  begin(): void {
    if (this.begun) return;
    this.begun = true;
    const { folder, mode } = this;
    removeAbandoned(folder);
    if (mode === "resume") {
      const results = resultEntriesIn(folder);
      if (results.length === 0) return;
      const events = new Set(eventFilesIn(folder));
      this.partial = () => [...resultPartials(folder), ...eventFilesIn(folder).filter((name) => !events.has(name))];
      this.aside = SetAside.move(folder, RESULTS, resultPartials(folder));
      return;
    }
    this.partial = () => runEntriesIn(folder);
    const pending = SetAside.find(folder, PREVIOUS);
    if (pending) removeEntries(folder, this.partial()); // of a run that was killed before its first checkpoint
    this.aside = pending ?? (mode === "fresh" ? moveLogs(folder) : move(folder, runEntriesIn(folder)));
  }

  /** Whether an earlier run's files will be replaced. */
  get overwrites(): boolean {
    return this.mode === "overwrite";
  }

  /** Called when the first files are written: the logs of a run that left nothing else are replaced by then. */
  started(): void {
    if (this.mode === "fresh") this.replaced();
  }

  /** Called when a checkpoint or the final weights are in place: what was set aside is discarded. */
  replaced(): void {
    this.aside?.discard();
    this.aside = undefined;
  }

  /** Called at the end, after success and failure. Safe to call twice. */
  release(): void {
    this.lock.release();
  }

  private putBack(): void {
    const { aside } = this;
    if (aside === undefined) return;
    this.aside = undefined;
    const partial = this.partial();
    try {
      removeEntries(this.folder, partial);
      aside.restore();
    } catch (error) {
      throw new Error(
        `Expected to put the files of the earlier run back but received: ${(error as Error).message}. They are in ` +
          `${aside.path}; the next run in ${this.folder} says how to restore them`,
        { cause: error },
      );
    }
  }
}

function move(folder: string, entries: readonly string[]): SetAside | undefined {
  return entries.length === 0 ? undefined : SetAside.move(folder, PREVIOUS, entries);
}

/** Logs that cannot be set aside, as on a full disk, are replaced where they are: they must not end a run. */
function moveLogs(folder: string): SetAside | undefined {
  try {
    return move(folder, logEntriesIn(folder));
  } catch {
    return undefined;
  }
}

/** Recovers a folder that a killed run has left behind. */
export function recoverFolder(folder: string): void {
  SetAside.recover(folder);
  removeAbandoned(folder);
  const { checkpoints, complete } = holdingsOf(folder);
  const results = SetAside.find(folder, RESULTS);
  if (results && complete) results.discard();
  else if (results) {
    // The steps that the killed run had taken since its checkpoint are lost anyway.
    removeEntries(folder, resultPartials(folder));
    results.restore();
  }
  const previous = SetAside.find(folder, PREVIOUS);
  if (previous && (checkpoints.length > 0 || complete || !isWorthKeeping(holdingsOf(previous.path)))) previous.discard();
}

const isWorthKeeping = ({ checkpoints, weights }: Holdings): boolean => checkpoints.length > 0 || weights.length > 0;

/** Results, and the logs that end with them. */
function resultPartials(folder: string): string[] {
  return [...resultEntriesIn(folder), ...logEntriesIn(folder).filter((name) => LOGS.includes(name))];
}

function modeOf(folder: string, { folder: shown, overwrite, resume, ways }: OutputRequest): "fresh" | "resume" | "overwrite" {
  const previous = SetAside.find(folder, PREVIOUS);
  if (previous) {
    if (overwrite) return "overwrite";
    throw new InputError(
      `Expected a folder without an unfinished overwrite for 'output_dir' but in ${shown} a run was killed before its first ` +
        `checkpoint; the earlier run that it was to replace is in ${join(shown, PREVIOUS)}. Restore it with\n` +
        `  ${previous.restoreCommand(runEntriesIn(folder))}\nor start again, which keeps it until the new run has a ` +
        `checkpoint, with\n  ${ways.overwrite}`,
    );
  }
  const found = holdingsOf(folder);
  if (resume === true) {
    if (found.checkpoints.length > 0) return "resume";
    throw new InputError(`Expected a checkpoint in ${shown} for 'resume_from_checkpoint' but there is none`);
  }
  if (resume && pathInside(folder, realPath(resume)) !== undefined) return "resume";
  if (!isWorthKeeping(found)) return "fresh";
  if (overwrite) return "overwrite";
  if (resume && existsSync(resume) && isSameRun(folder, found, resume)) return "resume";
  throw new InputError(refusal(shown, found, resume, ways));
}

function refusal(
  shown: string,
  { checkpoints, weights }: Holdings,
  resume: OutputRequest["resume"],
  ways: OutputRequest["ways"],
): string {
  const newest = checkpoints.at(-1);
  const held = [
    ...(newest === undefined ? [] : [checkpoints.length === 1 ? newest : `${checkpoints.length} checkpoints up to ${newest}`]),
    ...(weights.length === 0 ? [] : [weights.length === 1 ? weights[0]! : `${weights.length} files of weights`]),
  ].join(" and ");
  const where = resume ? `, which is not the run of ${String(resume)}` : "";
  return (
    `Expected a folder without another run's checkpoints or weights for 'output_dir' but ${shown} holds ${held}${where}. ` +
    (newest === undefined ? "" : `Resume that run with\n  ${ways.resume}\n`) +
    `${newest === undefined ? "Replace" : "or replace"} it, once the new run has a checkpoint or final weights, with\n` +
    `  ${ways.overwrite}\nor choose another folder`
  );
}

/** Whether a checkpoint from elsewhere, such as a copy, is of the run whose files are in the folder. */
function isSameRun(folder: string, { checkpoints }: Holdings, checkpoint: string): boolean {
  const [here, there] = [join(folder, checkpoints.at(-1) ?? "."), checkpoint].map(runIn);
  return here !== undefined && here === there;
}

/** Identifies a run by the model it began with, its rows and its seed. */
function runIn(folder: string): string | undefined {
  const file = join(folder, STATE_FILE);
  if (!existsSync(file)) return undefined;
  try {
    const state = readInputJson(file, "the state of a run") as { stateful_callbacks?: { smaug?: Record<string, unknown> } };
    const { start, fixed } = state.stateful_callbacks?.smaug ?? {};
    return typeof start === "string" ? JSON.stringify({ start, fixed }) : undefined;
  } catch {
    return undefined;
  }
}
