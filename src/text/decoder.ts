/**
 * From tokens back to text: the decoders of tokenizer.json as Rust's `tokenizers` runs them. The library's own differ
 * where the bytes are not whole characters, as in a stream of generated tokens, and drop a byte order mark.
 */
import { byteOf } from "./bpe";
import { expectRoomInTokens } from "./limits";
import { type Step, steps, unsupported } from "./pipeline";

/** Turns tokens into pieces of text; joined, they are the text. */
export type TokenDecoder = (tokens: string[]) => string[];

/** Broken sequences become U+FFFD, as many as the Unicode standard recommends. */
const lossy = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const utf8 = new TextEncoder();

/** Makes the decoder of a step; `file` and `key` are for messages. */
type Factory = (step: Step, file: string, key: string) => TokenDecoder;

const FACTORIES: Readonly<Record<string, Factory>> = {
  Sequence(step, file, key) {
    const chain = steps(step, "decoders", file, key).map(([each, name]) => createDecoder(each, file, name));
    return (tokens) => chain.reduce((pieces, decode) => decode(pieces), tokens);
  },
  ByteLevel: () => byteLevel,
  ByteFallback: () => byteFallback,
  Fuse: () => (tokens) => [tokens.join("")],
  Replace(step, file, key) {
    const { pattern, content } = step as Step & { pattern?: { String?: string }; content?: string };
    const source: unknown = pattern?.String;
    if (typeof source !== "string") throw unsupported(file, `${key}.pattern`, pattern);
    if (content !== undefined && typeof content !== "string") throw unsupported(file, `${key}.content`, content);
    return (tokens) => {
      expectRoomInTokens(tokens, source, content?.length ?? 0, `'${key}' in ${file}`);
      return tokens.map((token) => token.replaceAll(source, () => content ?? ""));
    };
  },
  Strip(step, file, key) {
    const { content, start = 0, stop = 0 } = step as Step & { content: string; start?: number; stop?: number };
    if (typeof content !== "string" || content === "") throw unsupported(file, `${key}.content`, content);
    for (const [name, count] of Object.entries({ start, stop }))
      if (!Number.isSafeInteger(count) || count < 0) throw unsupported(file, `${key}.${name}`, count);
    return (tokens) => tokens.map((token) => strip(token, content, start, stop));
  },
  Metaspace(step, file, key) {
    const { replacement = "▁", prepend_scheme, add_prefix_space } = step as Step & { replacement?: string };
    if (typeof replacement !== "string" || replacement === "") throw unsupported(file, `${key}.replacement`, replacement);
    const prefixed = prepend_scheme !== "never" && add_prefix_space !== false;
    return (tokens) => tokens.map((token, i) => token.replaceAll(replacement, i === 0 && prefixed ? "" : " "));
  },
};

/** The decoder that a tokenizer.json describes. Without one, tokens are joined by spaces. */
export function createDecoder(step: Step | null, file: string, key = "decoder"): TokenDecoder {
  if (step === null) return (tokens) => [tokens.join(" ")];
  if (!Object.hasOwn(FACTORIES, step.type)) throw unsupported(file, `${key}.type`, step.type);
  return FACTORIES[step.type]!(step, file, key);
}

/** A token with any other character (an added token) decodes to its own text. */
function byteLevel(tokens: string[]): string[] {
  const bytes: number[] = [];
  for (const token of tokens) {
    const start = bytes.length;
    for (const character of token) {
      const byte = byteOf.get(character);
      if (byte === undefined) {
        bytes.length = start;
        for (const each of utf8.encode(token)) bytes.push(each);
        break;
      }
      bytes.push(byte);
    }
  }
  return [lossy.decode(Uint8Array.from(bytes))];
}

/** Runs of `<0xE2>` become text, or one U+FFFD a byte when they are not UTF-8. */
function byteFallback(tokens: string[]): string[] {
  const pieces: string[] = [];
  let run: number[] = [];
  const flush = () => {
    if (run.length === 0) return;
    try {
      pieces.push(strict.decode(Uint8Array.from(run)));
    } catch {
      pieces.push("\ufffd".repeat(run.length));
    }
    run = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (byte !== undefined) run.push(Number.parseInt(byte, 16));
    else {
      flush();
      pieces.push(token);
    }
  }
  flush();
  return pieces;
}

/** Takes up to `start` copies of `content` off the front and `stop` off the end. */
function strip(token: string, content: string, start: number, stop: number): string {
  for (let i = 0; i < start && token.startsWith(content); i++) token = token.slice(content.length);
  for (let i = 0; i < stop && token.endsWith(content); i++) token = token.slice(0, -content.length);
  return token;
}
