/** Pairs of a measurement with the text of each token, for a report to show. */
import type { TokenizedAnswer } from "../../data/tokenize/tokenizedPair";
import { TextStream } from "../../generate/textStream";
import { completionOf } from "../../preference/difference";
import type { Tokenizer } from "../../text";
import type { Diagnosis } from "./diagnose";
import type { Measurement } from "./measure";

/** A pair with the text of its tokens, and the log-prob of each under the reference and then under the runs. */
export interface DiagnosedSample {
  /** The pair's row. */
  readonly index: number;
  readonly prompt: string;
  /** Place of the first difference, in tokens of the answers. */
  readonly difference: number;
  readonly chosen: DiagnosedAnswer;
  readonly rejected: DiagnosedAnswer;
}

export interface DiagnosedAnswer {
  readonly tokens: readonly string[];
  readonly logps: readonly ArrayLike<number>[];
}

const SAMPLES = 12;

/** A dozen pairs, evenly spread from the one that the first run lowered most to the one that it raised most. */
export function samplesOf(diagnosis: Diagnosis, measurement: Measurement, tokenizer: Tokenizer): DiagnosedSample[] {
  const { pairs, reference, runs } = measurement;
  const ranked = diagnosis.pairs.map(({ chosen }, i) => ({ i, change: chosen[0]! }));
  ranked.sort((a, b) => a.change - b.change || a.i - b.i);
  return spread(ranked, SAMPLES).map(({ i }) => {
    const pair = pairs[i]!;
    const { ids, start } = pair.chosen;
    const side = (name: "chosen" | "rejected"): DiagnosedAnswer => ({
      tokens: tokenTexts(pair[name], tokenizer),
      logps: [reference, ...runs.map(({ scores }) => scores)].map((scores) => scores[i]![name]),
    });
    return {
      index: pair.index,
      prompt: tokenizer.decode(ids.subarray(0, start), { skipSpecialTokens: true }),
      difference: diagnosis.pairs[i]!.difference,
      chosen: side("chosen"),
      rejected: side("rejected"),
    };
  });
}

/** What each token of an answer adds to its text: nothing for a special token, and for one that ends within a character. */
export function tokenTexts(answer: TokenizedAnswer, tokenizer: Tokenizer): string[] {
  const stream = new TextStream(tokenizer, []);
  for (const id of answer.ids.subarray(0, answer.start)) stream.push(id);
  const texts = Array.from(completionOf(answer), (id) => stream.push(id));
  texts[texts.length - 1] += stream.end();
  return texts;
}

/** At most `count` items of a list, evenly spread from its first to its last. */
export function spread<T>(list: readonly T[], count: number): T[] {
  if (list.length <= count) return [...list];
  return Array.from({ length: count }, (_, i) => list[Math.round((i * (list.length - 1)) / (count - 1))]!);
}
