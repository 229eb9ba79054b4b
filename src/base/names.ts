/** Names of options and keys: their spellings, and suggestions for mistyped ones. */
import { distance } from "fastest-levenshtein";

/** `learningRate` as `learning_rate`, as files write it. A capital at the start or after another stays. */
export function snakeCase(name: string): string {
  return name.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** `learning_rate` as `learningRate`. */
export function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** `learningRate` as `learning-rate`, as a command line writes it. */
export function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The shortest name that may match as a part of another. */
const PART = 4;

/** The name closest to a mistyped one, or the only one that contains it or that it contains; undefined if none. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const [best] = names.map((each) => [distance(name, each), each] as const).sort(([a], [b]) => a - b);
  if (best && best[0] <= Math.max(2, name.length / 3)) return best[1];
  const isPart = (a: string, b: string) => a.length >= PART && b.includes(a);
  const parts = names.filter((each) => isPart(name, each) || isPart(each, name));
  return parts.length === 1 ? parts[0] : undefined;
}

/** `; did you mean 'beta'?`, or an empty string if no name is close. Ends a message about an unknown name. */
export function didYouMean(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  return near === undefined ? "" : `; did you mean '${near}'?`;
}
