/**
 * What a training run has left in its folder: the run header and the lines it logged, from `metrics.jsonl`. Where that is
 * missing, as after a run of TRL's, the `trainer_state.json` of the folder or of its newest checkpoint is read, which has
 * the lines but no header.
 */
import { type Dirent, existsSync, readdirSync, statSync } from "node:fs";
import { basename, join, resolve, sep } from "node:path";
import { InputError } from "../base/errors";
import { expectShallow, readInputText } from "../base/files/inputFiles";
import { snakeCase } from "../base/names";
import { printable } from "../base/terminal/printable";
import { excerpt, isObject, type JsonObject, shown } from "../base/values";
import { METRICS_FILE, STATE_FILE, stepOf } from "../train/output/entries";

/** The finite numbers of a logged line by name, `step` among them. */
export type RunLine = Readonly<Record<string, number>>;

export interface LoggedRun {
  /** The folder's name, with as many names above it as tell it from the others'. */
  readonly name: string;
  readonly folder: string;
  /** The run header: versions, `config` and more. Empty when there is none. */
  readonly header: Readonly<Record<string, unknown>>;
  /** Lines of training steps, by step. */
  readonly lines: readonly RunLine[];
  /** Lines of evaluations, their names without `eval_`. */
  readonly evaluations: readonly RunLine[];
  /** What was logged at the end of training: `train_runtime` and its like. */
  readonly closing: RunLine | undefined;
  /** Steps whose loss or gradient norm was NaN or infinite. */
  readonly nonFinite: readonly number[];
  /** Optimizer steps the run was to take. */
  readonly totalSteps: number | undefined;
  /** What turns its rewards into nats against the reference; undefined where it does not say or has no reference. */
  readonly beta: number | undefined;
  /** Notes about the files, such as a last line that was cut off. */
  readonly notes: readonly string[];
}

/**
 * Reads the runs in these folders.
 *
 * @throws InputError when a folder is not there, has no metrics, or a line in it is broken
 */
export function readRuns(folders: readonly string[]): LoggedRun[] {
  const names = namesOf(folders);
  return folders.map((folder, i) => readRun(folder, names[i]!));
}

function readRun(folder: string, name: string): LoggedRun {
  const entries = entriesOf(folder);
  const state = existsSync(join(folder, METRICS_FILE)) ? undefined : findState(folder, entries);
  const { header, records, notes = [] } = state === undefined ? readMetrics(join(folder, METRICS_FILE)) : readState(state);
  const steps = records.filter((record) => typeof record["step"] === "number" && Math.abs(record["step"]) <= LARGEST);
  const lines = steps.filter((record) => "loss" in record).map(numbersOf);
  if (lines.length === 0)
    throw new InputError(
      `Expected logged steps in '${state ?? join(folder, METRICS_FILE)}' but received none; ` +
        (notes.length > 0 ? notes.join("; ") : "the run has not come to its first line (logging_steps)"),
    );
  const closing = steps.find((record) => "train_runtime" in record);
  const config = configOf(header);
  const beta = header["beta"] ?? config["beta"];
  const hasReference = header["reference_rows"] !== 0;
  const totalSteps = header["total_steps"] ?? header["max_steps"];
  return {
    name,
    folder,
    header,
    lines,
    evaluations: steps.flatMap((record) => (Object.keys(record).some(isOfEvaluation) ? [evaluationOf(record)] : [])),
    closing: closing && numbersOf(closing),
    nonFinite: steps
      .filter((record) => ["loss", "grad_norm"].some((name) => isBeyond(record[name])))
      .map(({ step }) => step as number),
    totalSteps: typeof totalSteps === "number" && totalSteps > 0 ? totalSteps : undefined,
    beta: typeof beta === "number" && beta >= SMALLEST && beta <= LARGEST && hasReference ? beta : undefined,
    notes,
  };
}

interface Logged {
  readonly header: JsonObject;
  readonly records: readonly JsonObject[];
  readonly notes?: readonly string[];
}

/** The resolved configuration with Hugging Face's names, also of a run that was started from a program. */
export function configOf(header: LoggedRun["header"]): JsonObject {
  const config = isObject(header["config"]) ? header["config"] : {};
  return Object.fromEntries(Object.entries(config).map(([name, value]) => [snakeCase(name), value]));
}

function entriesOf(folder: string): Dirent[] {
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (!stats) throw new InputError(`Expected the folder of a run at '${folder}' but there is none`);
  if (!stats.isDirectory())
    throw new InputError(`Expected the folder of a run at '${folder}' but it is a file; name the folder it is in`);
  return readdirSync(folder, { withFileTypes: true });
}

function findState(folder: string, entries: readonly Dirent[]): string {
  const checkpoints = entries.map(({ name }) => name).filter((name) => stepOf(name) !== undefined);
  checkpoints.sort((a, b) => stepOf(b)! - stepOf(a)!);
  const found = ["", ...checkpoints].map((name) => join(folder, name, STATE_FILE)).find((file) => existsSync(file));
  if (found !== undefined) return found;
  const others = entries
    .slice(0, 5)
    .map(({ name }) => `'${name}'`)
    .join(", ");
  throw new InputError(
    `Expected ${METRICS_FILE} or ${STATE_FILE} in '${folder}' but received ${others || "no file"}; name the output_dir of a run`,
  );
}

/** The last line is cut off when a run was killed, or the power failed, while it was written. */
function readMetrics(file: string): Logged {
  const lines = readInputText(file, "the metrics of a run").split("\n");
  const torn = lines.pop()!; // empty when the file ends with a newline, as a whole one does
  const places = lines.map((line, i) => [line, i + 1] as const).filter(([line]) => line.trim() !== "");
  const records = places.map(([line, number]) => parsed(line, `'${file}', line ${number}`));
  const notes: string[] = [];
  if (torn.trim() !== "")
    try {
      records.push(parsed(torn, `'${file}', line ${lines.length + 1}`));
    } catch {
      notes.push(`the last line of '${file}', line ${lines.length + 1}, is cut off and was skipped`);
    }
  const [first, ...rest] = records;
  return first && !("step" in first) ? { header: first, records: rest, notes } : { header: {}, records, notes };
}

function readState(file: string): Logged {
  const { log_history: history, max_steps } = parsed(readInputText(file, "the state of a run"), `'${file}'`);
  if (!Array.isArray(history) || !history.every(isObject))
    throw new InputError(`Expected a list of logged lines for 'log_history' in '${file}' but received ${shown(history)}`);
  return { header: max_steps === undefined ? {} : { max_steps }, records: history };
}

function parsed(text: string, place: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    try {
      // Python writes NaN and Infinity, which JSON does not have. Strings match too, so that words in them stay.
      value = JSON.parse(
        text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/g, (found) => (found.startsWith('"') ? found : "null")),
      );
    } catch {
      throw new InputError(`Expected JSON in ${place} but received ${excerpt(text)} (${printable((error as Error).message)})`);
    }
  }
  expectShallow(value, place);
  if (isObject(value)) return value;
  throw new InputError(`Expected a JSON object in ${place} but received ${shown(value)}`);
}

/** NaN and infinite numbers are null in JSON. */
const isBeyond = (value: unknown): boolean => value === null || (typeof value === "number" && Math.abs(value) > LARGEST);

/** The largest and smallest sizes that are drawn; beyond them axes overflow. */
const [LARGEST, SMALLEST] = [1e100, 1e-100];

/** What can be drawn. Without a prototype: a metric may be called `constructor`. */
function numbersOf(record: JsonObject): RunLine {
  const line = Object.create(null) as Record<string, number>;
  for (const [name, value] of Object.entries(record))
    if (typeof value === "number" && Math.abs(value) <= LARGEST) line[name] = Math.abs(value) < SMALLEST ? 0 : value;
  return line;
}

const isOfEvaluation = (name: string): boolean => name.startsWith("eval_");

function evaluationOf(record: JsonObject): RunLine {
  const line = Object.create(null) as Record<string, number>;
  for (const [name, value] of Object.entries(numbersOf(record)))
    if (isOfEvaluation(name)) line[name.slice("eval_".length)] = value;
  line["step"] = record["step"] as number;
  return line;
}

/** The last name of each path, with names above it where two would be the same. */
function namesOf(folders: readonly string[]): string[] {
  const paths = folders.map((folder) => resolve(folder).split(sep));
  return paths.map((path, i) => {
    const tail = (parts: readonly string[], count: number) => parts.slice(-count).join("/");
    let count = 1;
    while (count < path.length && paths.some((other, j) => j !== i && tail(other, count) === tail(path, count))) count++;
    return tail(path, count) || basename(folders[i]!);
  });
}
