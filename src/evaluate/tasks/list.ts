/** Which tasks there are, and from a name to a task: the built-in ones, groups of them, and files of a user's own. */
import { InputError } from "../../base/errors";
import { nearest } from "../../base/names";
import { benchmarks } from "../benchmarks";
import { mmluGroups, mmluTasks } from "../mmlu";
import type { Group, Task } from "./task";
import { readTaskFile } from "./file";
import { checkedTask, readTaskModule } from "./module";

const tasksByName = new Map([...benchmarks, ...mmluTasks].map((task) => [task.name, task]));
const groupsByName = new Map(mmluGroups.map((group) => [group.name, group]));

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
