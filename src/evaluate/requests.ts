/**
 * From texts to tokens as lm-evaluation-harness 0.4 makes them: context and continuation are encoded together, and the
 * continuation is what follows as many tokens as the context has alone. Spaces that end a context belong to the
 * continuation. What is longer than the model's context loses tokens on the left.
 */

import { InputError } from "../base/errors";
import { shortened } from "../base/values";
import { strip } from "../jinja";
import type { Tokenizer } from "../text";

/** A sequence whose tokens from `start` on are scored. */
export interface ScoredSequence {
  readonly ids: Int32Array;
  readonly start: number;
  /** Tokens that were taken off its left. */
  readonly cut: number;
}

export class Encoder {
  private last: { text: string; length: number } | undefined;
  private readonly bosText: string;
  private readonly prefixId: number;

  /** @param maxLength the most tokens the model sees at once */
  constructor(
    private readonly tokenizer: Tokenizer,
    readonly maxLength: number,
  ) {
    const prefix = tokenizer.bosTokenId ?? tokenizer.eosTokenId;
    if (prefix === undefined) throw new InputError(`Expected a BOS or an EOS token in '${tokenizer.path}' but it names neither`);
    this.prefixId = prefix;
    this.bosText = tokenizer.decode([prefix]);
  }

  scored(context: string, continuation: string): ScoredSequence {
    const { ids, start } = context === "" ? this.withoutContext(continuation) : this.pair(context, continuation);
    const length = ids.length - start;
    const what = shown(continuation);
    if (length === 0)
      throw new InputError(`Expected a continuation that is at least one token but ${what} adds none to its context`);
    if (length > this.maxLength)
      throw new InputError(
        `Expected a continuation of at most ${this.maxLength} tokens, the model's context, but ${what} has ${length}`,
      );
    const cut = Math.max(0, ids.length - (this.maxLength + 1)); // the last token is only predicted
    return { ids: Int32Array.from(cut > 0 ? ids.slice(cut) : ids), start: start - cut, cut };
  }

  /** A prompt to continue by up to `newTokens`; `cut` tokens were taken off its left. */
  prompt(text: string, newTokens: number): { ids: number[]; cut: number } {
    const room = this.maxLength - newTokens;
    if (room <= 0)
      throw new InputError(
        `Expected fewer than ${this.maxLength} tokens, the model's context, for 'max_gen_toks' of a task but received ${newTokens}`,
      );
    const ids = this.encode(text);
    const cut = Math.max(0, ids.length - room);
    return { ids: cut > 0 ? ids.slice(cut) : ids, cut };
  }

  private pair(context: string, continuation: string): { ids: number[]; start: number } {
    const kept = strip(context.slice(-1), "rstrip") === "" ? strip(context, "rstrip") : context;
    const ids = this.encode(context + continuation);
    // A context of white space alone has no tokens besides BOS.
    return { ids, start: Math.max(1, this.lengthOf(kept)) };
  }

  /** BOS or EOS replaces the context, unless the continuation begins with it. */
  private withoutContext(continuation: string): { ids: number[]; start: number } {
    const ids = this.tokenizer.encode(continuation, { addSpecialTokens: false });
    return { ids: ids[0] === this.prefixId ? ids : [this.prefixId, ...ids], start: 1 };
  }

  /** Choices come one after the other, and share their context. */
  private lengthOf(text: string): number {
    if (this.last?.text !== text) this.last = { text, length: this.encode(text).length };
    return this.last.length;
  }

  private encode(text: string): number[] {
    return this.tokenizer.encode(text, { addSpecialTokens: !text.startsWith(this.bosText) });
  }
}

const shown = (text: string): string => JSON.stringify(shortened(text, 40));
