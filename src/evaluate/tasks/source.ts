/** Where the rows of tasks are, when an option says so: one folder for all of them, or a source for each. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { received } from "../../base/received";
import { isObject } from "../../base/values";
import { InputError } from "../../base/errors";
import { didYouMean } from "../../base/names";

/** A folder with one folder or file a task, named for it; or for each task a file, a folder or a hub id. */
export type TaskData = string | Readonly<Record<string, string>>;

/** What a source may be given for: the task itself, or what it is a part of. */
interface Named {
  readonly name: string;
  readonly family?: string;
}

/** The source of one task; nothing where the task's own data set is to be read. */
export async function sourceOf({ name, family }: Named, data: TaskData | undefined): Promise<string | undefined> {
  if (data === undefined) return undefined;
  if (typeof data !== "string") return data[name] ?? (family === undefined ? undefined : data[family]);
  const there = await readdir(data).catch((error: unknown) => {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new InputError(
      `Expected a folder with the tasks' data at '${data}' but ${isMissing ? "there is none" : `it cannot be read: ${(error as Error).message}`}`,
    );
  });
  for (const wanted of [name, family]) {
    const found = there.find((each) => each === wanted || each.replace(/\.(jsonl|json|parquet)$/, "") === wanted);
    if (found !== undefined) return join(data, found);
  }
  const shown = there.map((each) => `'${each}'`).join(", ");
  throw new InputError(
    `Expected a folder or file named '${family ?? name}' in '${data}' but found ${shown || "nothing"}; ` +
      `to name it directly, say for which task it is: ${family ?? name}=${data}`,
  );
}

/** Refuses a source for what is no task: the hub would be asked in its place. */
export function expectTasks(data: TaskData | undefined, known: readonly string[]): void {
  if (data === undefined || typeof data === "string") return;
  if (!isObject(data) || !Object.values(data).every((source) => typeof source === "string"))
    throw new TypeError(`Expected a folder, or an object with a source for each task, for 'data' but received ${received(data)}`);
  for (const name of Object.keys(data)) {
    if (known.includes(name)) continue;
    throw new InputError(`Expected the name of a task for each source but received '${name}'` + didYouMean(name, known));
  }
}
