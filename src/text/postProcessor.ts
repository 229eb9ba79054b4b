/** The post-processor of tokenizer.json, checked for everything that the library expects to find in it. */
import { shown } from "../base/values";
import { TokenizerError } from "./errors";
import { type Step, steps, unsupported } from "./pipeline";

/** Pieces of a template; published ones have a handful. */
const MOST_PIECES = 1_000;

/** @param isToken whether a token has an id */
export function checkPostProcessor(
  step: Step | null,
  file: string,
  isToken: (token: string) => boolean,
  key = "post_processor",
): void {
  if (step === null) return;
  const expectToken = (token: unknown, name: string): void => {
    if (typeof token !== "string" || !isToken(token))
      throw new TokenizerError(`Expected a token of the vocabulary for '${name}' in ${file} but received ${shown(token)}`);
  };
  switch (step.type) {
    case "ByteLevel":
      return;
    case "Sequence":
      for (const [each, name] of steps(step, "processors", file, key)) checkPostProcessor(each, file, isToken, name);
      return;
    case "BertProcessing":
    case "RobertaProcessing":
      for (const name of ["cls", "sep"]) expectToken((step[name] as unknown[] | undefined)?.[0], `${key}.${name}[0]`);
      return;
    case "TemplateProcessing": {
      const { single } = step;
      if (!Array.isArray(single) || single.length > MOST_PIECES)
        throw new TokenizerError(
          `Expected a list of at most ${MOST_PIECES} pieces for '${key}.single' in ${file} but received ${shown(single)}`,
        );
      let texts = 0;
      for (const [i, piece] of single.entries()) {
        const name = `${key}.single[${i}]`;
        const { SpecialToken: special, Sequence: sequence } = (piece ?? {}) as Record<string, { id?: unknown } | undefined>;
        if (special) expectToken(special.id, `${name}.SpecialToken.id`);
        else if (sequence?.id === "A") texts++;
        else
          throw new TokenizerError(
            `Expected a SpecialToken or the Sequence A for '${name}' in ${file} but received ${shown(piece)}`,
          );
      }
      if (texts !== 1)
        throw new TokenizerError(
          `Expected the Sequence A, which is the text, once in '${key}.single' in ${file} but found it ${texts} times`,
        );
      return;
    }
    default:
      throw unsupported(file, `${key}.type`, step.type);
  }
}
