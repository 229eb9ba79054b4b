/**
 * Keys of other projects' configurations, so that their users learn what to write instead. The other keys of the
 * configuration show which project it is for: `datasets` is axolotl's next to `base_model`, and TRL's elsewhere.
 */
import { alignmentHandbook } from "./alignmentHandbook";
import { type Answer, moot, type Project, type Settings } from "./answer";
import { axolotl } from "./axolotl";
import { llamaFactory } from "./llamaFactory";
import { trl } from "./trl";

export type { Answer } from "./answer";
export { isTracker } from "./trl";

const projects: readonly Project[] = [trl, llamaFactory, axolotl, alignmentHandbook];

/** The answer to a key that is not a smaug setting, and the project it is from; undefined if no project has it. */
export function foreignKey(key: string, value: unknown, all: Settings): { owner: string; answer: Answer } | undefined {
  const owners = projects.filter((project) => Object.hasOwn(project.rules, key));
  if (owners.length === 0) return undefined;
  const project = owners.length === 1 ? owners[0]! : likeliest(owners, all);
  return { owner: project.owner, answer: project.isOff(key, value) ? moot() : project.rules[key]!(value, all) };
}

/** The project with the most keys in the configuration that are only its own. */
function likeliest(owners: readonly Project[], all: Settings): Project {
  const isOnly = (project: Project, key: string) =>
    projects.every((each) => Object.hasOwn(each.rules, key) === (each === project));
  const own = (project: Project) => Object.keys(all).filter((key) => isOnly(project, key)).length;
  return owners.reduce((best, project) => (own(project) > own(best) ? project : best));
}
