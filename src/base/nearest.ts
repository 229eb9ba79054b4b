/** Suggestions for mistyped names. */
import { distance } from "fastest-levenshtein";

/** The name that is most like a mistyped one, if any is near enough. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const [best] = names.map((each) => [distance(name, each), each] as const).sort(([a], [b]) => a - b);
  return best && best[0] <= Math.max(2, name.length / 3) ? best[1] : undefined;
}

/** `; did you mean 'beta'?`, or nothing where no name is near. The end of a message about an unknown name. */
export function didYouMean(name: string, names: readonly string[]): string {
  const near = nearest(name, names);
  return near === undefined ? "" : `; did you mean '${near}'?`;
}
