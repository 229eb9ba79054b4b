/** Tokenises preference rows for runs that are compared; each run may have its own tokenizer. */
import { contentKey } from "../data/tokenize/tokenCache";
import { type TokenizeOptions, type TokenizedPairs, tokenizeRows } from "../data/tokenize/tokenizePairs";
import type { PreferenceRow } from "../data/rows/preferenceRow";
import { resolveModel } from "../models/modelSource";
import { InputError } from "../base/errors";
import { type Tokenizer, loadTokenizer } from "../text";

/**
 * Tokenises rows as the runs do. The tokenizer and template in a run's folder take precedence over the base model's.
 *
 * @throws InputError when two runs tokenise a row differently, so that their log-probs cannot be compared
 */
export async function tokenizeForRuns(
  base: string,
  runs: readonly { readonly folder: string; readonly name: string }[],
  rows: readonly PreferenceRow[],
  options: TokenizeOptions,
): Promise<{ tokenizer: Tokenizer; tokenized: TokenizedPairs }> {
  const { base: model } = await resolveModel(base, { files: "tokenizer" });
  const tokenizers = new Map<string, { name: string; tokenizer: Tokenizer }>(); // one for runs with equal files
  for (const { folder, name } of runs) {
    const tokenizer = await loadTokenizer(model, { adapter: folder });
    const key = await contentKey([], tokenizer, { maxLength: undefined, truncationMode: undefined });
    if (!tokenizers.has(key)) tokenizers.set(key, { name, tokenizer });
  }
  const [first, ...others] = [...tokenizers.values()];
  const tokenized = await tokenizeRows(rows, first!.tokenizer, options);
  for (const { name, tokenizer } of others) {
    const index = firstDifference(tokenized, await tokenizeRows(rows, tokenizer, options));
    if (index !== undefined)
      throw new InputError(
        `Expected runs that tokenise the rows in the same way but ${first!.name} and ${name} differ in row ${index}: their ` +
          "tokenizers or chat templates are not the same. Report them separately",
      );
  }
  return { tokenizer: first!.tokenizer, tokenized };
}

/** The first row whose tokens differ, if any. */
function firstDifference(a: TokenizedPairs, b: TokenizedPairs): number | undefined {
  const content = ({ pairs }: TokenizedPairs) => new Map(pairs.map((pair) => [pair.index, JSON.stringify(pair, plainArrays)]));
  const [left, right] = [content(a), content(b)];
  const indices = [...new Set([...left.keys(), ...right.keys()])].sort((x, y) => x - y);
  return indices.find((index) => left.get(index) !== right.get(index));
}

const plainArrays = (_: string, value: unknown): unknown => (ArrayBuffer.isView(value) ? Array.from(value as Int32Array) : value);
