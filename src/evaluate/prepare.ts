/**
 * A task made ready before any model runs: its rows read and checked, and the text before each question: description and
 * worked examples. As in lm-evaluation-harness 0.4, examples are drawn anew for each question by one generator a task
 * (seed 1234), or are the first ones for all.
 */
import { isDeepStrictEqual } from "node:util";
import { InputError } from "../base/errors";
import { RowError } from "../data/fields";
import { PythonRandom } from "./python/random";
import { type PlacedRow, TaskRows } from "./rows";
import type { Item, Row, Task } from "./tasks/task";

/** A question as it is put to the model. */
export interface Prepared {
  /** Place in its split, from 0. */
  readonly index: number;
  readonly row: Row;
  readonly item: Item;
  /** One, or one a choice; made when asked for, since many of them are long. */
  contexts(): string[];
  readonly continuations: readonly string[];
}

export interface PreparedTask {
  readonly task: Task;
  readonly source: string;
  readonly shots: number;
  readonly questions: readonly Prepared[];
  /** Rows of the split, of which `limit` may leave some out. */
  readonly size: number;
}

export interface PrepareOptions {
  /** Where the rows are; the task's own data set when left out. */
  source?: string | undefined;
  shots?: number | undefined;
  /** The first so many questions; below 1 that share of them. */
  limit?: number | undefined;
  seed: number;
  /** Where rows are read, to share files with other tasks. */
  rows?: TaskRows;
}

export async function prepare(
  task: Task,
  { source = task.dataset, shots: wanted, limit, seed, rows: reader = new TaskRows() }: PrepareOptions,
): Promise<PreparedTask> {
  const { subset, split, shotSplit } = task;
  const files = source === task.dataset ? (task.files ?? (subset === undefined ? undefined : [`${subset}/*`])) : undefined;
  const shots = task.shotsFixed ? task.shots : (wanted ?? task.shots);
  const given = source === task.dataset ? task.dataFiles : undefined;
  const rowsIn = (split: string, evaluated: boolean): Promise<PlacedRow[]> => {
    if (!given) return reader.split(source, { split, subset, files, evaluated });
    const { [split]: paths } = given;
    if (paths) return reader.ofFiles(paths);
    const there = Object.keys(given)
      .map((each) => `'${each}'`)
      .join(", ");
    throw new InputError(`Expected the split '${split}' in 'dataFiles' of ${task.name} but received ${there || "none"}`);
  };
  const rows = await rowsIn(split, true);
  if (shots > 0 && shotSplit === undefined)
    throw new InputError(`Expected 0 examples for ${task.name}, which has no split to draw them from, but received ${shots}`);
  const shotRows = shots === 0 ? [] : shotSplit === split ? rows : await rowsIn(shotSplit!, false);
  const random = new PythonRandom(seed);
  const count = limit === undefined ? rows.length : limit < 1 ? Math.ceil(rows.length * limit) : limit;
  const items = new Map<Row, Item>();
  const itemOf = ({ row, place }: PlacedRow): Item => {
    let item = items.get(row);
    if (!item) items.set(row, (item = placed(place, task, () => task.item(row))));
    return item;
  };
  const questions = rows.slice(0, count).map((asked, index): Prepared => {
    const item = itemOf(asked);
    const description = task.describe && placed(asked.place, task, () => task.describe!(asked.row));
    const examples = drawShots(task, { rows: shotRows, count: shots, random }, asked.row).map(itemOf);
    return {
      index,
      row: asked.row,
      item,
      contexts: () => contextsOf(task, examples, item, description),
      continuations: continuationsOf(task, item),
    };
  });
  return { task, source, shots, questions, size: rows.length };
}

function placed<T>(place: string, { name }: Task, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof RowError) throw new InputError(`${error.message}. In ${place}, read for ${name}`);
    throw error;
  }
}

/** Rows for examples, and how they are drawn. */
interface ShotSource {
  readonly rows: readonly PlacedRow[];
  readonly count: number;
  readonly random: PythonRandom;
}

/** Draws the examples of the next question. */
function drawShots(task: Task, { rows, count, random }: ShotSource, asked: Row): readonly PlacedRow[] {
  if (count === 0) return [];
  const spare = task.sampler !== "first" && task.drawSpare ? 1 : 0;
  if (rows.length < count + spare)
    throw new InputError(
      `Expected at least ${count + spare} rows in the split '${task.shotSplit}' of ${task.name} for ${count} ` +
        `examples but received ${rows.length}; ask for fewer`,
    );
  if (task.sampler === "first") return rows.slice(0, count);
  const drawn = random.sample(rows, count + spare);
  if (spare === 0) return drawn;
  const isOther = ({ row }: PlacedRow) => !isDeepStrictEqual(row, asked);
  const others = drawn.filter(isOther).slice(0, count);
  if (others.length === count) return others;
  const pool = rows.filter(isOther); // the question is among the rows more than once
  if (pool.length < count)
    throw new InputError(
      `Expected ${count} examples in the split '${task.shotSplit}' of ${task.name} that are not the question, ` +
        `but received ${pool.length}`,
    );
  return random.sample(pool, count);
}

/** The text before each continuation: one, or one a choice. `description` goes before the examples. */
function contextsOf(task: Task, shots: readonly Item[], asked: Item, description = task.description ?? ""): string[] {
  const { targetDelimiter = " ", shotDelimiter = "\n\n" } = task;
  const before = description + shots.map((shot) => solved(shot, targetDelimiter) + shotDelimiter).join("");
  return ("texts" in asked ? asked.texts : [asked.text]).map((text) => before + text);
}

/** What the model is to write after its context, for each choice. */
function continuationsOf(task: Task, asked: Item): string[] {
  const { targetDelimiter = " " } = task;
  if ("target" in asked) return [];
  return ("texts" in asked ? asked.texts.map(() => asked.ending) : asked.choices).map((choice) => targetDelimiter + choice);
}

/** A question with its answer. An answer that is empty has no delimiter before it. */
function solved(item: Item, delimiter: string): string {
  const [text, answer] =
    "texts" in item
      ? [item.texts[item.gold]!, item.ending]
      : "target" in item
        ? [item.text, item.target]
        : [item.text, item.choices[[item.gold].flat()[0]!]!];
  return answer === "" ? text : text + delimiter + answer;
}
