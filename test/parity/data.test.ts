/** Rows and their ids against TRL's own preparation (scripts/parity/data.py). */
import { describe, expect, test } from "vitest";
import { RowReader } from "../../src/data/rows/preferenceRow";
import { tokenizeRows } from "../../src/data/tokenize/tokenizePairs";
import { loadTokenizer } from "../../src/text";
import { fixture } from "./fixture";
import { tokenizerFolder } from "./text/fetch";

/** All ids and where the completion begins: by TRL as well, unless it says `trlStart`. */
interface Answer {
  ids: number[];
  start: number;
  trlStart?: number;
}

type Expected = Record<string, { chosen: Answer; rejected: Answer }[]>;

const { rows, implicit, ...byTokenizer } = fixture<{
  rows: Record<string, object[]>;
  implicit: { row: object; parts: object }[];
  llama2: Expected;
  llama3: Expected;
  qwen3: Expected;
  gemma3: Expected;
}>("data");

const read = (records: readonly object[]) => {
  const reader = new RowReader();
  return records.map((value) => reader.read({ value, place: "'data.json'" }));
};

test.each(implicit)("takes the prompt from $row as TRL does", ({ row, parts }) => {
  expect(read([row])).toEqual([{ index: 0, ...parts }]);
});

describe.each(["llama2", "llama3", "qwen3", "gemma3"] as const)("%s", (name) => {
  test("gives TRL's ids, cut at the longest common token prefix", async () => {
    const tokenizer = await loadTokenizer(tokenizerFolder(name));
    const seen = { unlikeTrl: 0, refused: 0 };
    for (const [kind, expected] of Object.entries(byTokenizer[name])) {
      const { pairs, refused } = await tokenizeRows(read(rows[kind]!), tokenizer, { cacheDir: null });
      const found = new Map(pairs.map(({ index, ...answers }) => [index, answers]));
      for (const [index, row] of expected.entries()) {
        const answers = [row.chosen, row.rejected];
        seen.unlikeTrl += answers.filter(({ trlStart }) => trlStart !== undefined).length;
        if (answers.some(({ start }) => start === 0)) {
          seen.refused++;
          const reason = "no token of the prompt stays before the answer";
          expect(refused).toContainEqual({ index, reason });
          continue;
        }
        const side = ({ ids, start }: Answer) => ({ ids: Int32Array.from(ids), start });
        const parts = { chosen: side(row.chosen), rejected: side(row.rejected) };
        expect(found.get(index), `${kind}, row ${index}`).toEqual(parts);
      }
      expect(pairs.length + refused.length).toBe(expected.length);
    }
    // TRL splits both answers where the first one diverges from the prompt; smaug splits each where it diverges.
    // llama3 and qwen3 add no BOS: where the first token of the prompt merges with the answer, nothing is left.
    expect(seen).toEqual(
      {
        llama2: { unlikeTrl: 1, refused: 0 },
        llama3: { unlikeTrl: 3, refused: 3 },
        qwen3: { unlikeTrl: 3, refused: 2 },
        gemma3: { unlikeTrl: 2, refused: 0 },
      }[name],
    );
  }, 120_000);
});
