/** Pairs of a measurement with the text of their tokens, for a report to show. */
import type { TokenizedAnswer } from "../data/tokenize/tokenizedPair";
import { TextStream } from "../generate/textStream";
import { type Diagnosis, type Measurement, completionOf } from "../report/diagnosis";
import { type DiagnosedSample, pickSamples } from "../report/diagnosisSection";
import type { Tokenizer } from "../text";

/** A dozen pairs, evenly spread over what the first run did to them. */
export function samplesOf(diagnosis: Diagnosis, measurement: Measurement, tokenizer: Tokenizer): DiagnosedSample[] {
  const { pairs, reference, runs } = measurement;
  return pickSamples(diagnosis).map((i) => {
    const pair = pairs[i]!;
    const { ids, start } = pair.chosen;
    const side = (name: "chosen" | "rejected") => ({
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
