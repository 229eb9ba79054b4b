/**
 * What the experiment trains and measures on, as token ids: examples for SFT, preference pairs, and held-out problems
 * whose prompts occur in neither. Made from generated arithmetic and the paper's corruption, or from a user's rows.
 */

import { InputError } from "../base/errors";
import { Random } from "../base/random";
import { mean } from "../base/samples";
import { corruptIntermediateResult } from "../data/recipes/corruption";
import { firstDifference, normalisedDistance } from "../data/rows/editDistance";
import type { PlainRow } from "../data/rows/preferences";
import { expectSomeKept, type RejectedRow, reasonToRefuse, screen } from "../data/rows/screening";
import type { AnswerPair, TokenizedPair } from "../data/tokenize/tokenizedPair";
import { completionOf } from "../preference/difference";
import { generateProblems, generateQuestions, type TextProblem } from "./problems";
import type { PaperSettings } from "./settings";
import { Vocabulary } from "./vocabulary";

/** A preference pair; answers end with the end token. */
export interface PaperPair extends AnswerPair {
  /** Place of the first token in which the answers differ, counted from their beginning. */
  readonly difference: number;
}

export interface PaperTask {
  readonly vocabulary: Vocabulary;
  /** Right answers alone, for SFT. */
  readonly examples: TokenizedPair[];
  readonly pairs: PaperPair[];
  readonly heldOut: TextProblem[];
  /** Rows that cannot be trained on. */
  readonly refused: RejectedRow[];
  /** Mean over pairs of the token edit distance, divided by the length of the longer answer. */
  readonly editDistance: number;
}

/**
 * Generated arithmetic. Its rejected answers are the chosen ones with one intermediate result replaced (`low`), or whole
 * other texts, the worked answers of other problems (`high`). All else is equal.
 */
export function arithmeticTask(seed: number, settings: PaperSettings["task"], distance: "low" | "high" = "low"): PaperTask {
  const problems = generateProblems(settings.problems + settings.heldOut, new Random(seed, "problems"));
  const train = problems.slice(0, settings.problems);
  const random = new Random(seed, distance === "low" ? "corruption" : "wrong choices");
  const rows = train.slice(0, settings.pairs).map(({ prompt, answer }, index): PlainRow => {
    const rejected = distance === "low" ? corruptIntermediateResult(answer, random)!.text : wrongChoice(answer, train, random);
    return { index, prompt, chosen: answer, rejected };
  });
  const vocabulary = Vocabulary.of(problems.flatMap(({ prompt, answer }) => [prompt, answer]));
  return assemble(vocabulary, train, rows, problems.slice(settings.problems), []);
}

/** Generated multiple choice. A question makes as many pairs as it has wrong choices. */
export function choiceTask(seed: number, settings: PaperSettings["task"]): PaperTask {
  const questions = generateQuestions(settings.problems + settings.heldOut, new Random(seed, "questions"));
  const train = questions.slice(0, settings.problems);
  const rows = train
    .slice(0, settings.pairs)
    .flatMap(({ prompt, answer, wrong }, index) =>
      wrong.map((rejected): PlainRow => ({ index, prompt, chosen: answer, rejected })),
    );
  const vocabulary = Vocabulary.of(questions.flatMap(({ prompt, answer, wrong }) => [prompt, answer, ...wrong]));
  return assemble(vocabulary, train, rows, questions.slice(settings.problems), []);
}

/** The worked answer of another problem, which comes to another number. */
function wrongChoice(answer: string, problems: readonly TextProblem[], random: Random): string {
  for (;;) {
    const other = random.pick(problems).answer;
    if (finalAnswer(other) !== finalAnswer(answer)) return other;
  }
}

/** Tokens of the longest answer trained on, its end included. */
export const longestAnswer = ({ examples }: PaperTask): number =>
  examples.reduce((most, { chosen: { ids, start } }) => Math.max(most, ids.length - start), 0);

/**
 * The task of a user's rows: chosen answers for SFT, the first rows as pairs, and a tenth of the prompts held out.
 *
 * @throws InputError when no row can be trained on, or fewer than two prompts differ
 */
export function rowsTask(rows: readonly PlainRow[], name: string, seed: number, settings: PaperSettings["task"]): PaperTask {
  const vocabulary = Vocabulary.of(rows.flatMap(({ prompt, chosen, rejected }) => [prompt, chosen, rejected]));
  const { kept, refused } = screen(rows, (row) =>
    reasonToRefuse(
      row,
      {
        prompt: vocabulary.encode(row.prompt).length,
        chosen: vocabulary.encode(row.chosen).length + 1,
        rejected: vocabulary.encode(row.rejected).length + 1,
      },
      settings.maxTokens,
    ),
  );
  expectSomeKept(kept, refused, name);

  const prompts = kept.map(({ prompt }) => prompt);
  const heldOutPrompts = drawHeldOut(prompts, name, seed, settings.heldOut);
  const answers = new Map(kept.map((row) => [row.prompt, row.chosen]));
  const heldOut = [...heldOutPrompts].map((prompt) => ({ prompt, answer: answers.get(prompt)! }));
  const train = kept.filter((row) => !heldOutPrompts.has(row.prompt));
  const questions = train.map(({ prompt, chosen }) => ({ prompt, answer: chosen }));
  return assemble(vocabulary, questions, train.slice(0, settings.pairs), heldOut, refused);
}

/**
 * Draws the prompts to hold out of training: a tenth of them, at least one and at most `most`.
 *
 * @throws InputError when all prompts are the same
 */
export function drawHeldOut(prompts: readonly string[], name: string, seed: number, most: number): ReadonlySet<string> {
  const different = new Random(seed, "held-out").shuffled([...new Set(prompts)]);
  if (different.length < 2)
    throw new InputError(
      `Expected at least two different prompts in '${name}' but received one; ` +
        "the results are measured on prompts that are held out of training. Add rows.",
    );
  return new Set(different.slice(0, Math.min(most, Math.max(1, Math.floor(different.length / 10)))));
}

function assemble(
  vocabulary: Vocabulary,
  train: readonly TextProblem[],
  rows: readonly PlainRow[],
  heldOut: TextProblem[],
  refused: RejectedRow[],
): PaperTask {
  const examples = train.map(({ prompt, answer }, index) => ({ index, chosen: vocabulary.encodeAnswer(prompt, answer) }));
  const pairs = rows.map((row) => {
    const [chosen, rejected] = [row.chosen, row.rejected].map((answer) => vocabulary.encodeAnswer(row.prompt, answer));
    return {
      index: row.index,
      chosen: chosen!,
      rejected: rejected!,
      difference: firstDifference(completionOf(chosen!), completionOf(rejected!)),
    };
  });
  const distances = pairs.map(({ chosen, rejected }) => normalisedDistance(completionOf(chosen), completionOf(rejected)));
  return { vocabulary, examples, pairs, heldOut, refused, editDistance: mean(distances) };
}

/**
 * The final answer of a worked one: what follows the last `####`, or else the last "The answer is:", on its line; the
 * whole text when there is neither.
 */
export function finalAnswer(text: string): string {
  const [rest] = [/^[^]*####/, /^[^]*[Tt]he answer is:?/].flatMap((until) => (until.test(text) ? [text.replace(until, "")] : []));
  if (rest === undefined) return text.trim();
  const line = rest.trimStart().split("\n")[0]!;
  return line.replace(/[,$]/g, "").trim().replace(/\.$/, "");
}
