/** Suggestions for mistyped names. */
import { distance } from "fastest-levenshtein";

/** Letters that two names have to share, at least, for one to be a part of the other. */
const PART = 4;

/** The name that is most like a mistyped one, or the only one that it is a part of, or that is a part of it, if any is. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const [best] = names.map((each) => [distance(name, each), each] as const).sort(([a], [b]) => a - b);
  if (best && best[0] <= Math.max(2, name.length / 3)) return best[1];
  const isPart = (a: string, b: string) => a.length >= PART && b.includes(a);
  const parts = names.filter((each) => isPart(name, each) || isPart(each, name));
  return parts.length === 1 ? parts[0] : undefined;
}

/** `; did you mean 'beta'?`, or nothing where no name is near. The end of a message about an unknown name. */
export function didYouMean(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  return near === undefined ? "" : `; did you mean '${near}'?`;
}
