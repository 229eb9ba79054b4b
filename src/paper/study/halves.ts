/** A user's rows as the two corpora of a comparison: those whose answers differ little, and those that differ much. */
import { normalisedDistance } from "../../data/rows/editDistance";
import { InputError } from "../../base/errors";

/** Rows with what they are called and what tells them from others. */
export interface RowSource<Row> {
  readonly name: string;
  readonly digest: string;
  readonly rows: readonly Row[];
}

/**
 * Of two sources the one whose answers are nearer on average is `low`. One source is cut in the middle: the half of its
 * rows whose answers are nearest, and the other half, each in the order of the source.
 *
 * @param answersOf both answers in the units of which the edit distance is taken
 * @throws InputError for more than two sources, or one source of a single row
 */
export function splitByDistance<Row>(
  sources: readonly RowSource<Row>[],
  answersOf: (row: Row) => readonly [chosen: ArrayLike<number | string>, rejected: ArrayLike<number | string>],
): { low: RowSource<Row>; high: RowSource<Row> } {
  const [first, second] = sources;
  if (!first || sources.length > 2)
    throw new InputError(`Expected one or two sources of rows for '--data' but received ${sources.length}`);
  const distance = (row: Row) => normalisedDistance(...answersOf(row));
  if (second) {
    const mean = ({ rows }: RowSource<Row>) => rows.reduce((sum, row) => sum + distance(row), 0) / rows.length;
    return mean(first) <= mean(second) ? { low: first, high: second } : { low: second, high: first };
  }
  const { name, digest, rows } = first;
  if (rows.length < 2)
    throw new InputError(`Expected at least two rows in '${name}', to have near and far answers, but found one`);
  const order = rows.map((row, i) => ({ i, at: distance(row) })).sort((a, b) => a.at - b.at || a.i - b.i);
  const half = (part: typeof order, which: string): RowSource<Row> => ({
    name: `the half of ${name} whose answers are ${which}`,
    digest,
    rows: part
      .map(({ i }) => i)
      .sort((a, b) => a - b)
      .map((i) => rows[i]!),
  });
  const middle = Math.ceil(rows.length / 2);
  return { low: half(order.slice(0, middle), "nearest"), high: half(order.slice(middle), "farthest") };
}
