/** A task made ready before any model runs: its rows read and checked, the examples of each question drawn. */
import { InputError } from "../base/errors";
import { RowError } from "../data/fields";
import { PythonRandom } from "./python/random";
import { type PlacedRow, readFiles, readSplit } from "./rows";
import { contextsOf, continuationsOf, drawShots } from "./shots";
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
}

export async function prepare(
  task: Task,
  { source = task.dataset, shots: wanted, limit, seed }: PrepareOptions,
): Promise<PreparedTask> {
  const { subset, split, shotSplit } = task;
  const files = source === task.dataset ? (task.files ?? (subset === undefined ? undefined : [`${subset}/*`])) : undefined;
  const shots = task.shotsFixed ? task.shots : (wanted ?? task.shots);
  const given = source === task.dataset ? task.dataFiles : undefined;
  const rowsIn = (split: string, evaluated: boolean): Promise<PlacedRow[]> => {
    if (!given) return readSplit(source, { split, subset, files, evaluated });
    const { [split]: paths } = given;
    if (paths) return readFiles(paths);
    const there = Object.keys(given)
      .map((each) => `'${each}'`)
      .join(", ");
    throw new InputError(`Expected the split '${split}' in 'dataFiles' of ${task.name} but found ${there || "none"}`);
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
