/**
 * Keys of other projects' configurations, so that their users learn what to write here. Which project a key is from
 * shows in the keys around it: `datasets` is axolotl's beside `base_model`, and TRL's otherwise.
 */
import { alignmentHandbook } from "./alignmentHandbook";
import { type Answer, type Project, type Settings, moot } from "./answer";
import { axolotl } from "./axolotl";
import { llamaFactory } from "./llamaFactory";
import { trl } from "./trl";

export type { Answer } from "./answer";
export { isTracker } from "./trl";

const projects: readonly Project[] = [trl, llamaFactory, axolotl, alignmentHandbook];

/** What a key that is not a setting comes to, and whose it is; undefined when nobody knows it. */
export function foreignKey(key: string, value: unknown, all: Settings): { owner: string; answer: Answer } | undefined {
  const owners = projects.filter((project) => Object.hasOwn(project.rules, key));
  if (owners.length === 0) return undefined;
  const project = owners.length === 1 ? owners[0]! : likeliest(owners, all);
  return { owner: project.owner, answer: project.isOff(key, value) ? moot() : project.rules[key]!(value, all) };
}

/** The project of which the most keys are in the configuration that no other has. */
function likeliest(owners: readonly Project[], all: Settings): Project {
  const isOnly = (project: Project, key: string) => projects.every((each) => Object.hasOwn(each.rules, key) === (each === project));
  const own = (project: Project) => Object.keys(all).filter((key) => isOnly(project, key)).length;
  return owners.reduce((best, project) => (own(project) > own(best) ? project : best));
}
