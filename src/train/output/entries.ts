/**
 * What a run writes to its folder, by name: nothing else in it is ever moved or deleted. Files that other programs
 * share (`config.json`, a tokenizer's) count only next to the weights that they were written with.
 */
import { cpSync, lstatSync, readdirSync, rmSync } from "node:fs";
import { join, sep } from "node:path";
import { isFolder, isLink } from "../../base/files/paths";
import { MODEL_COMPANIONS, TEMPLATE_FOLDER, TOKENIZER_FILES } from "../../models/companions";

export const METRICS_FILE = "metrics.jsonl";
export const STATE_FILE = "trainer_state.json";
export const REPORT_FILE = "report.html";
/** The folder of TensorBoard's event files. */
export const EVENTS_FOLDER = "runs";

/** The logs at the top of a run's folder. */
export const LOGS: readonly string[] = [METRICS_FILE, STATE_FILE];
const EVENTS = /^events\.out\.tfevents\./;
const CHECKPOINT = /^checkpoint-(\d+)$/;
const ADAPTER = /^adapter_(model\.safetensors|config\.json)$/;
const MODEL = /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/;
const TOKENIZER = new Set(TOKENIZER_FILES);
/** In a checkpoint, next to weights and tokenizer: ours, and those of transformers. */
const STATE = new RegExp(
  "^(trainer_state\\.json|checksums\\.json|(optimizer|rng_state)\\.safetensors|training_args\\.bin|" +
    "(optimizer|scheduler|scaler|rng_state(_\\d+)?)\\.(pt|pth|bin))$",
);
/** Weights in a form that is not written here, and therefore stays. */
const FOREIGN_WEIGHTS = /^(adapter_model|pytorch_model.*)\.bin$/;

/** The name of the checkpoint after a step. */
export const checkpointName = (step: number): string => `checkpoint-${step}`;

/** The step of a checkpoint by its name; undefined if it is not a checkpoint's name. */
export function stepOf(name: string): number | undefined {
  const step = CHECKPOINT.exec(name)?.[1];
  return step === undefined ? undefined : Number(step);
}

const isOwnWeights = (name: string): boolean => name === "adapter_model.safetensors" || MODEL.test(name);
const isWeights = (name: string): boolean => isOwnWeights(name) || FOREIGN_WEIGHTS.test(name);

export interface Holdings {
  /** Names, oldest first. */
  readonly checkpoints: readonly string[];
  /** Names of files with weights, such as `adapter_model.safetensors`. */
  readonly weights: readonly string[];
  /** Whether a run has written all of its weights: their configuration is written after them. */
  readonly complete: boolean;
}

export function holdingsOf(folder: string): Holdings {
  const names = namesIn(folder);
  const checkpoints = names.filter((name) => isCheckpoint(join(folder, name), name));
  const weights = names.filter(isWeights);
  const own = weights.filter(isOwnWeights);
  const config = own.some((name) => name.startsWith("adapter_")) ? "adapter_config.json" : "config.json";
  return {
    checkpoints: checkpoints.sort((a, b) => stepOf(a)! - stepOf(b)!),
    weights,
    complete: own.length > 0 && names.includes(config),
  };
}

/** Whether a folder of that name is a checkpoint, as opposed to a folder of the user's. */
export function isCheckpoint(folder: string, name: string): boolean {
  return CHECKPOINT.test(name) && namesIn(folder).some((each) => STATE.test(each) || isWeights(each));
}

/** Everything that runs have written into a folder, as paths inside it. */
export function runEntriesIn(folder: string): string[] {
  const checkpoints = namesIn(folder).filter((name) => isCheckpoint(join(folder, name), name));
  return [
    ...logEntriesIn(folder),
    ...modelEntriesIn(folder),
    ...checkpoints.flatMap((name) => wholeOr(folder, name, checkpointEntriesIn(join(folder, name)))),
  ];
}

/** Weights with their configuration and tokenizer. */
export function modelEntriesIn(folder: string): string[] {
  const weights = weightEntriesIn(folder);
  return weights.length === 0 ? [] : [...weights, ...tokenizerEntriesIn(folder)];
}

/** What only a finished run has: weights with their configuration, and the report. */
export function resultEntriesIn(folder: string): string[] {
  return [...weightEntriesIn(folder), ...filesIn(folder).filter((name) => name === REPORT_FILE)];
}

export function logEntriesIn(folder: string): string[] {
  return [...filesIn(folder).filter((name) => LOGS.includes(name) || name === REPORT_FILE), ...eventsIn(folder)];
}

/** TensorBoard's event files; where `runs` is a link they may be other runs' too. */
function eventsIn(folder: string): string[] {
  return isLink(join(folder, EVENTS_FOLDER)) ? [] : wholeOr(folder, EVENTS_FOLDER, eventNamesIn(folder));
}

/** TensorBoard's event files, each by its own path. */
export function eventFilesIn(folder: string): string[] {
  return eventNamesIn(folder).map((name) => join(EVENTS_FOLDER, name));
}

function eventNamesIn(folder: string): string[] {
  return filesIn(join(folder, EVENTS_FOLDER)).filter((name) => EVENTS.test(name));
}

/** Everything that a run, ours or another program's, writes into a checkpoint. */
function checkpointEntriesIn(folder: string): string[] {
  const isOwn = (name: string) => STATE.test(name) || ADAPTER.test(name) || MODEL.test(name) || MODEL_COMPANIONS.has(name);
  return [...filesIn(folder).filter(isOwn), ...tokenizerEntriesIn(folder)];
}

/** Removes a checkpoint, except the user's own files in it. */
export function removeCheckpoint(folder: string): void {
  const entries = checkpointEntriesIn(folder);
  if (isLink(folder)) return rmSync(folder);
  if (entries.length === namesIn(folder).length) return rmSync(folder, { recursive: true, force: true });
  for (const entry of entries) rmSync(join(folder, entry), { recursive: true, force: true });
}

/** Copies the user's own files in a checkpoint to the one that replaces it. */
export function copyForeignEntries(from: string, to: string): void {
  if (lstatSync(from, { throwIfNoEntry: false })?.isFile())
    throw Object.assign(new Error(`${from} is a file, which no checkpoint may replace`), { code: "EEXIST" });
  const own = new Set(checkpointEntriesIn(from).map((entry) => entry.split(sep)[0]));
  for (const name of namesIn(from))
    if (!own.has(name)) cpSync(join(from, name), join(to, name), { recursive: true, verbatimSymlinks: true });
}

/** Whether a run writes, or might write, that path inside its folder. No input may be there. */
export function isRunEntry(path: string): boolean {
  const [first = "", second] = path.split(sep);
  if (first === EVENTS_FOLDER) return second === undefined || EVENTS.test(second);
  return (
    LOGS.includes(first) ||
    first === REPORT_FILE ||
    ADAPTER.test(first) ||
    MODEL.test(first) ||
    CHECKPOINT.test(first) ||
    MODEL_COMPANIONS.has(first) ||
    TOKENIZER.has(first) ||
    first === TEMPLATE_FOLDER ||
    first.startsWith(".smaug-")
  );
}

/** Weights, and the files next to them whose names show that a run wrote them. */
function weightEntriesIn(folder: string): string[] {
  const names = filesIn(folder);
  const adapter = names.filter((name) => ADAPTER.test(name));
  const model = names.filter((name) => MODEL.test(name));
  return [...adapter, ...model, ...(model.length > 0 ? names.filter((name) => MODEL_COMPANIONS.has(name)) : [])];
}

function tokenizerEntriesIn(folder: string): string[] {
  const templates = filesIn(join(folder, TEMPLATE_FOLDER)).filter((name) => name.endsWith(".jinja"));
  return [...filesIn(folder).filter((name) => TOKENIZER.has(name)), ...wholeOr(folder, TEMPLATE_FOLDER, templates)];
}

/** The folder itself if it contains only these entries, or is a link; otherwise the entries. */
function wholeOr(folder: string, name: string, entries: readonly string[]): string[] {
  if (entries.length === 0) return [];
  const isWhole = isLink(join(folder, name)) || namesIn(join(folder, name)).length === entries.length;
  return isWhole ? [name] : entries.map((entry) => join(name, entry));
}

/** Empty if the path is not a folder. */
function namesIn(folder: string): string[] {
  return isFolder(folder) ? readdirSync(folder) : [];
}

/** Names of everything but folders: a folder named like a file of a run is the user's. */
function filesIn(folder: string): string[] {
  if (!isFolder(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [] : [entry.name]));
}
