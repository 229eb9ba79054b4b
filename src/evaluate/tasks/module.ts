/** A user's own task as a function: the default export of a JavaScript module, or an object given to `evaluate`. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { expectPath } from "../../base/options";
import { expectRegularFile } from "../../base/files/inputFiles";
import { shown } from "../../base/values";
import { InputError } from "../../base/errors";
import type { Task } from "./task";

/** @throws InputError for a module that cannot be read, or whose default export is no task */
export async function readTaskModule(file: string): Promise<Task> {
  expectPath(file, "file", "a task file");
  if (!existsSync(file)) throw new InputError(`Expected a task file at '${file}', but there is no such file`);
  expectRegularFile(file, "a module with a task");
  let found: unknown;
  try {
    const module = (await import(/* @vite-ignore */ pathToFileURL(resolve(file)).href)) as { default?: unknown };
    found = module.default;
  } catch (error) {
    throw new InputError(`Expected a module with a task at '${file}' but: ${(error as Error).message}`, { cause: error });
  }
  const task = checkedTask(found, `the default export of '${file}'`);
  const beside = resolve(dirname(file), task.dataset);
  return existsSync(beside) ? { ...task, dataset: beside } : task;
}

const METRICS = ["acc", "acc_norm", "acc_bytes", "mc2"];

/** The task, if it is one. TypeScript says so at compile time; this says it for JavaScript. */
export function checkedTask(task: unknown, place: string): Task {
  if (typeof task !== "object" || task === null)
    throw new InputError(`Expected a task, an object with a function 'item', for ${place} but received ${shown(task)}`);
  const fields = task as Record<string, unknown>;
  const check = (key: string, what: string, fits: (value: unknown) => boolean): void => {
    if (!fits(fields[key])) throw new InputError(`Expected ${what} for '${key}' of ${place} but received ${shown(fields[key])}`);
  };
  const isText = (value: unknown) => typeof value === "string";
  const listOf = (fits: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(fits);
  const objectWith = (key: string) => (value: unknown) => typeof (value as Record<string, unknown> | null)?.[key] === "function";
  check("kind", "'choice' or 'answer'", (value) => value === "choice" || value === "answer");
  for (const key of ["name", "dataset", "split"]) check(key, "a text", isText);
  check("shots", "an integer from 0 on", (value) => Number.isSafeInteger(value) && (value as number) >= 0);
  if (fields["describe"] !== undefined)
    check("describe", "a function that makes a description of a row", (value) => typeof value === "function");
  check("item", "a function that makes a question of a row", (value) => typeof value === "function");
  if (fields["kind"] === "choice") {
    const isSome = (value: unknown) => listOf((each) => METRICS.includes(each as string))(value) && (value as []).length > 0;
    check("metrics", `a list of ${METRICS.join(", ")}`, isSome);
  } else {
    check(
      "until",
      "a list of texts that end an answer",
      listOf((each) => isText(each) && each !== ""),
    );
    const isSome = (value: unknown) => listOf(objectWith("apply"))(value) && (value as []).length > 0;
    check("filters", "a list of { name, apply(answer) }", isSome);
    check("match", "an object, such as {}", (value) => typeof value === "object" && value !== null);
  }
  return task as Task;
}
