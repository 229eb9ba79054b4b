/**
 * Preference pairs by a recipe, row by row: the source is read once for the examples of few-shot prompts, then once
 * more for the pairs, and neither time kept. What is drawn for a row depends on the seed and its place alone.
 */

import { expected, InputError } from "../../base/errors";
import { Random } from "../../base/random";
import { isObject, shown } from "../../base/values";
import { RowError } from "../fields";
import { type DataFile, DataSet, findDataFiles } from "../reading/dataFiles";
import { streamLots } from "../reading/records";
import type { SourceRecord } from "../reading/source";
import { type PairParts, type Recipe, type RecipeQuestion, Unusable } from "./recipe";
import { ShotPool } from "./shots";
import type { StatisticsCollector } from "./statistics";

export interface PairOptions {
  readonly split?: string | undefined;
  /** Which of the configurations declared in the source's card. */
  readonly config?: string | undefined;
  readonly seed: number;
  /** The most rows to take, from the first on. */
  readonly limit?: number | undefined;
  /** Examples before a question, each number from 0 to this equally likely. */
  readonly maxShots: number;
  /** Told how many rows have been read. */
  readonly onProgress?: (rows: number, phase: "examples" | "pairs") => void;
}

/**
 * The pairs of a source, in the order of its rows and in their parts (recipe.ts); several pairs of a row share a prompt.
 *
 * @param source a JSONL, JSON or Parquet file, a folder of them, or a data set of the hub
 * @param statistics is told of every row and pair
 * @throws InputError when the source has other columns than the recipe needs, no row, or none that makes a pair
 *
 * ```ts
 * const statistics = new StatisticsCollector(0, 4);
 * for await (const parts of makePairs(metamath, "MetaMathQA-395K.json", { seed: 0, maxShots: 4 }, statistics))
 *   console.log(pairOf(parts));
 * console.log(statistics.summary());
 * ```
 */
export async function* makePairs(
  recipe: Recipe,
  source: string,
  options: PairOptions,
  statistics: StatisticsCollector,
): AsyncGenerator<PairParts> {
  const { split, seed, limit = Infinity, maxShots, onProgress } = options;
  const files = await filesOf(recipe, source, options);
  const name = split === undefined ? `'${source}'` : `the split '${split}' of '${source}'`;
  const { columns, form } = recipe;
  const lots = () => streamLots(files, { columns, form });
  const pool = new ShotPool(seed, maxShots);
  let index = 0;
  if (maxShots > 0)
    for await (const records of lots())
      for (const record of records) {
        const row = index++;
        pool.offer(() => questionOf(recipe, record, row));
        onProgress?.(index, "examples");
      }

  index = 0;
  for await (const records of lots()) {
    for (const record of records) {
      if (index >= limit) break;
      onProgress?.(index + 1, "pairs");
      for (const pair of pairsOf(questionOf(recipe, record, index), index, { seed, pool, statistics })) yield pair;
      index++;
    }
    if (index >= limit) break;
  }
  if (statistics.rows === 0) throw new InputError(expected("at least one row", "none", { where: `in ${name}`, wayOut: form }));
  if (statistics.pairs === 0)
    throw new InputError(
      `Expected rows that make pairs in ${name}, but none does:\n${statistics.describe()}\n` +
        `Name another file or split; ${form}`,
    );
}

interface Making {
  readonly seed: number;
  readonly pool: ShotPool;
  readonly statistics: StatisticsCollector;
}

/** The pairs of one row. */
function pairsOf(question: RecipeQuestion | Unusable, index: number, { seed, pool, statistics }: Making): PairParts[] {
  const answers = question instanceof Unusable ? question : wrongAnswers(question, index, seed, statistics);
  if (answers instanceof Unusable) {
    statistics.refuse(index, answers.reason);
    return [];
  }
  const { subject, prompt, answer } = question as RecipeQuestion;
  const shots = pool.draw(index, subject);
  statistics.use(shots.length);
  return answers.map((rejected) => {
    statistics.add(answer, rejected);
    return { shots, question: prompt, chosen: answer, rejected };
  });
}

/** The wrong answers that make a pair with the right one. */
function wrongAnswers(
  question: RecipeQuestion,
  index: number,
  seed: number,
  statistics: StatisticsCollector,
): readonly string[] | Unusable {
  if (question.answer.trim() === "") return new Unusable("the right answer is empty");
  const answers = question.wrong(new Random(seed, `wrong ${index}`));
  if (answers instanceof Unusable) return answers;
  const faults = answers.map((answer) => {
    if (answer.trim() === "") return "the wrong answer is empty";
    return answer === question.answer ? "the wrong answer is the right one" : undefined;
  });
  const usable = answers.filter((_, i) => faults[i] === undefined);
  if (usable.length === 0) return new Unusable(faults[0]!);
  for (const fault of faults) if (fault !== undefined) statistics.leaveOut(index, fault);
  return usable;
}

/** The files of the source, or of its part that the recipe is about. */
async function filesOf({ subset }: Recipe, source: string, { split, config }: PairOptions): Promise<DataFile[]> {
  if (subset === undefined || config !== undefined) return findDataFiles(source, { split, config });
  const set = await DataSet.open(source, { files: "all" });
  return (set.part(subset) ?? set).files(split);
}

/** The first row says whether the source has the columns; a later one without a value is one row less. */
function questionOf({ columns, form, read }: Recipe, { value, place }: SourceRecord, index: number): RecipeQuestion | Unusable {
  if (!isObject(value)) throw new InputError(expected("a JSON object", shown(value), { where: `in ${place}`, wayOut: form }));
  const row = value;
  const missing = columns.required.filter((key) => row[key] === undefined || row[key] === null);
  if (missing.some((key) => row[key] === undefined) && index === 0) {
    const [wanted, there] = [missing, Object.keys(row)].map((keys) => keys.map((key) => `'${key}'`).join(", "));
    throw new InputError(`Expected the column ${wanted} in ${place} but received only ${there || "no column"}; ${form}`);
  }
  if (missing.length > 0) return new Unusable(`there is no '${missing[0]}'`);
  try {
    return read(row);
  } catch (error) {
    if (!(error instanceof RowError)) throw error;
    throw new InputError(`${error.message}, in ${place}; ${form}`, { cause: error });
  }
}
