/**
 * Tokens to text as they come: pieces that are never half a character, and never the beginning of a stop string. Joined
 * they are the text of all tokens, special tokens left out, up to the stop string.
 */
import type { Tokenizer } from "../text";

/** The replacement for bytes that are not a character, or not yet a whole one. */
const INCOMPLETE = "\ufffd";

export class TextStream {
  /** Whether a stop string has come; the text is then complete. */
  stopped = false;
  private readonly tokens: number[] = [];
  /** Tokens before `shown` have been handed on; those from `context` on are decoded again before new ones. */
  private context = 0;
  private shown = 0;
  /** Text that may be the beginning of a stop string. */
  private held = "";

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly stopStrings: readonly string[],
  ) {}

  /** The text that `token` completes, often none. */
  push(token: number): string {
    this.tokens.push(token);
    const text = this.decodeNew();
    return text.endsWith(INCOMPLETE) ? "" : this.release(text);
  }

  /** The rest, when no token follows. */
  end(): string {
    if (this.stopped) return "";
    const text = this.release(this.decodeNew());
    const rest = this.stopped ? "" : this.held;
    this.held = "";
    return text + rest;
  }

  /**
   * The text the new tokens add to that of the ones before. Decoding them alone would not do: how a token reads can
   * depend on whether it is the first, and a character can take several.
   */
  private decodeNew(): string {
    const decode = (end?: number) => this.tokenizer.decode(this.tokens.slice(this.context, end), { skipSpecialTokens: true });
    return decode().slice(decode(this.shown).length);
  }

  private release(text: string): string {
    if (text === "") return ""; // tokens without text give no context for decoding others
    this.context = this.shown;
    this.shown = this.tokens.length;
    const all = this.held + text;
    const stops = this.stopStrings.map((stop) => all.indexOf(stop)).filter((at) => at >= 0);
    this.stopped = stops.length > 0;
    const end = this.stopped ? Math.min(...stops) : all.length - this.beginning(all);
    this.held = all.slice(end);
    return all.slice(0, end);
  }

  /** How long the end of `text` is that may begin a stop string. */
  private beginning(text: string): number {
    const begins = (length: number) => this.stopStrings.some((stop) => stop.startsWith(text.slice(-length)));
    const longest = Math.max(0, ...this.stopStrings.map((stop) => stop.length - 1));
    for (let length = Math.min(longest, text.length); length > 0; length--) if (begins(length)) return length;
    return 0;
  }
}
