/** Which tasks there are, and from a name to a task: the built-in ones, groups of them, and files of a user's own. */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { fits } from "../../base/arguments";
import { InputError } from "../../base/errors";
import { expectRegularFile } from "../../base/files/inputFiles";
import { nearest } from "../../base/names";
import { expectPath } from "../../base/options";
import { shown } from "../../base/values";
import { benchmarkGroups, benchmarks } from "../benchmarks";
import { readTaskFile } from "./file";
import { type Group, numFewshot, type Task } from "./task";

const tasksByName = new Map(benchmarks.map((task) => [task.name, task]));
const groupsByName = new Map(benchmarkGroups.map((group) => [group.name, group]));

/** Of the Open LLM Leaderboard (version 1), with the metric whose mean it took. */
export const leaderboard: Readonly<Record<string, string>> = {
  arc_challenge: "acc_norm,none",
  hellaswag: "acc_norm,none",
  mmlu: "acc,none",
  truthfulqa_mc2: "acc,none",
  winogrande: "acc,none",
  gsm8k: "exact_match,strict-match",
};

/** Names that `tasks` may have, groups first. */
export function taskNames(): string[] {
  return [...groupsByName.keys(), ...tasksByName.keys()];
}

/** The tasks behind names, files and objects, each once, and the groups that were named, inner ones first. */
export async function findTasks(wanted: readonly (string | Task)[]): Promise<{ tasks: Task[]; groups: Group[] }> {
  const tasks = new Map<string, Task>();
  const groups = new Map<string, Group>();
  const add = async (name: string): Promise<void> => {
    const group = groupsByName.get(name);
    if (group) {
      for (const member of group.members) await add(member);
      groups.set(name, group);
      return;
    }
    const task = tasksByName.get(name) ?? (await fromFile(name));
    if (!task) {
      const near = nearest(name, taskNames());
      const most = [...Object.keys(leaderboard)].join(", ");
      throw new InputError(
        `Expected a task but received '${name}'${near === undefined ? "." : `; did you mean '${near}'?`} ` +
          `Known tasks: ${most}, the subjects of mmlu, leaderboard for all of them, and files: YAML or a module (.mjs)`,
      );
    }
    tasks.set(task.name, task);
  };
  for (const each of wanted.flatMap((name) => (name === "leaderboard" ? Object.keys(leaderboard) : [name])))
    if (typeof each === "string") await add(each);
    else tasks.set(each.name, checkedTask(each, "a task"));
  if (tasks.size === 0) throw new InputError("Expected at least one task but received none");
  return { tasks: [...tasks.values()], groups: [...groups.values()] };
}

async function fromFile(name: string): Promise<Task | undefined> {
  if (/\.ya?ml$/.test(name)) return readTaskFile(name);
  return /\.[cm]?js$/.test(name) ? readTaskModule(name) : undefined;
}

/**
 * Reads a user's own task as a function: the default export of a JavaScript module.
 *
 * @throws InputError for a module that cannot be read, or whose default export is not a task
 */
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
function checkedTask(task: unknown, place: string): Task {
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
  check("shots", numFewshot.expected, (value) => fits(value, numFewshot));
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
