/** The inputs of the text fixtures, made as scripts/parity/text.py makes them, and the hashes it stores of outputs. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

interface Pieces {
  pieces: Record<string, string[]>;
  ranges: [number, number][];
  hard: string[];
}

/** A fixture of this folder. */
export function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(join(__dirname, `${name}.json`), "utf8")) as T;
}

const { pieces, ranges, hard } = fixture<Pieces>("pieces");

export { hard };

/** below(n) draws an integer from 0 to n - 1; a linear congruence, whose upper bits are used. */
export function generator(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state * n) / 2 ** 32);
  };
}

/** Lines of mixed text, each mostly of one kind. */
export function lines(count: number, seed = 1): string[] {
  const below = generator(seed);
  const kinds = Object.values(pieces);
  const piece = (kind: number) => {
    const list = kinds[kind];
    if (list) return list[below(list.length)]!;
    const [first, last] = ranges[below(ranges.length)]!;
    return String.fromCodePoint(first + below(last - first + 1));
  };
  return Array.from({ length: count }, () => {
    const main = below(kinds.length + 1);
    let line = "";
    for (let left = 1 + below(24); left > 0; left--) {
      line += piece(below(4) ? main : below(kinds.length + 1));
      if (below(3) === 0) line += " ";
    }
    return line;
  });
}

/** Lists of any ids: most are not what a text gives, many cut characters. */
export function idLists(count: number, vocabulary: number, seed = 2): number[][] {
  const below = generator(seed);
  return Array.from({ length: count }, () => Array.from({ length: 1 + below(12) }, () => below(vocabulary)));
}

/** Of each value its JSON, one a line. */
export function digest(values: readonly unknown[]): string {
  const text = values.map((value) => JSON.stringify(value)).join("\n");
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

export function blocks(values: readonly unknown[], size: number): string[] {
  const count = Math.ceil(values.length / size);
  return Array.from({ length: count }, (_, i) => digest(values.slice(i * size, (i + 1) * size)));
}
