/** Names as users type them. */
import { distance } from "fastest-levenshtein";

/** The name that is most like a mistyped one, if any is. */
export function nearest(name: string, names: readonly string[]): string | undefined {
  const [best] = names.map((each) => [distance(name, each), each] as const).sort(([a], [b]) => a - b);
  return best && best[0] <= Math.max(2, name.length / 3) ? best[1] : undefined;
}
