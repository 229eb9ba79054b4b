/**
 * The text before a question: description, worked examples, and which rows those are. As lm-evaluation-harness 0.4 does
 * it: examples are drawn anew for each question by one generator a task (seed 1234), or are the first ones for all.
 */
import { isDeepStrictEqual } from "node:util";
import { InputError } from "../base/errors";
import type { PythonRandom } from "./python/random";
import type { PlacedRow } from "./rows";
import type { Item, Row, Task } from "./tasks/task";

/** Rows for examples, and how they are drawn. */
export interface ShotSource {
  readonly rows: readonly PlacedRow[];
  readonly count: number;
  readonly random: PythonRandom;
}

/** Draws the examples of the next question. */
export function drawShots(task: Task, { rows, count, random }: ShotSource, asked: Row): readonly PlacedRow[] {
  if (count === 0) return [];
  const spare = task.sampler !== "first" && task.drawSpare ? 1 : 0;
  if (rows.length < count + spare)
    throw new InputError(
      `Expected at least ${count + spare} rows in the split '${task.shotSplit}' of ${task.name} for ${count} ` +
        `examples but found ${rows.length}; ask for fewer`,
    );
  if (task.sampler === "first") return rows.slice(0, count);
  const drawn = random.sample(rows, count + spare);
  if (spare === 0) return drawn;
  const isOther = ({ row }: PlacedRow) => !isDeepStrictEqual(row, asked);
  const others = drawn.filter(isOther).slice(0, count);
  if (others.length === count) return others;
  const pool = rows.filter(isOther); // the question stands among the rows more than once
  if (pool.length < count)
    throw new InputError(
      `Expected ${count} examples in the split '${task.shotSplit}' of ${task.name} that are not the question, ` +
        `but found ${pool.length}`,
    );
  return random.sample(pool, count);
}

/** The text before each continuation: one, or one a choice. `description` goes before the examples. */
export function contextsOf(task: Task, shots: readonly Item[], asked: Item, description = task.description ?? ""): string[] {
  const { targetDelimiter = " ", shotDelimiter = "\n\n" } = task;
  const before = description + shots.map((shot) => solved(shot, targetDelimiter) + shotDelimiter).join("");
  return ("texts" in asked ? asked.texts : [asked.text]).map((text) => before + text);
}

/** What the model is to write after its context, for each choice. */
export function continuationsOf(task: Task, asked: Item): string[] {
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
