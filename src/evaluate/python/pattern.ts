/**
 * Regular expressions of Python's `re`, for texts, as JavaScript's in `v` mode. In Python `\w`, `\d`, `\s` and `\b` are
 * about all of Unicode, `.` stops at \n alone, and `$` matches before a last \n. What JavaScript would match
 * or capture differently is refused: repetitions of a part that may be empty, groups that only some repetitions reach,
 * back-references to groups that may not have matched, and a pattern that may find an empty match where it could find
 * another, which Python then finds next.
 */
import { SPACE_CLASS, WORD_CLASS as WORD } from "../../jinja";

/** A part of a pattern. */
interface Piece {
  readonly source: string;
  /** Characters that it matches. */
  readonly least: number;
  readonly most: number;
  /** Whether an empty match is found only where there is no other. */
  readonly isEmptyLast: boolean;
  /** Groups in it, and those of them that have matched whenever it has. */
  readonly groups: readonly number[];
  readonly sure: readonly number[];
}

const CLASSES: ReadonlyMap<string, string> = new Map([
  ["d", "\\p{Nd}"],
  ["D", "\\P{Nd}"],
  ["w", `[${WORD}]`],
  ["W", `[^${WORD}]`],
  ["s", `[${SPACE_CLASS}]`],
  ["S", `[^${SPACE_CLASS}]`],
]);
const ASSERTIONS: ReadonlyMap<string, string> = new Map([
  ["A", "^"],
  ["Z", "$"],
  ["b", `(?:(?<=[${WORD}])(?![${WORD}])|(?<![${WORD}])(?=[${WORD}]))`],
  ["B", `(?:(?<=[${WORD}])(?=[${WORD}])|(?<![${WORD}])(?![${WORD}])(?!^$))`], // not in an empty text
]);
const ESCAPES: ReadonlyMap<string, number> = new Map([
  ["a", 7],
  ["f", 12],
  ["n", 10],
  ["r", 13],
  ["t", 9],
  ["v", 11],
]);
const MOST_LEVELS = 100;

/** Flags of Python that change the translation. `IGNORECASE` is JavaScript's flag `i`. */
interface PythonFlags {
  readonly dotAll?: boolean;
  readonly multiline?: boolean;
}

/**
 * The pattern for `new RegExp(…, "v")`.
 *
 * @param fault makes the error for a part that is not supported, or that Python refuses too
 */
export function pythonPattern(source: string, fault: (part: string) => Error, flags: PythonFlags = {}): string {
  return new Translator(Array.from(source), fault, flags).whole();
}

class Translator {
  private at = 0;
  private level = 0;
  private groups = 0;
  private isBehind = false;
  private readonly names = new Set<string>();
  /** Of groups that are closed. */
  private readonly widths = new Map<number, Pick<Piece, "least" | "most" | "isEmptyLast">>();

  constructor(
    private readonly text: readonly string[],
    private readonly fault: (part: string) => Error,
    private readonly flags: PythonFlags,
  ) {}

  whole(): string {
    const { source, least, isEmptyLast } = this.alternatives(new Set());
    if (this.at < this.text.length) throw this.fault(")");
    if (!isEmptyLast) throw this.fault(this.from(0));
    // V8 also looks for empty matches within surrogate pairs, where neither holds.
    return least === 0 ? `(?=[^]|$)(?:${source})` : source;
  }

  /** @param certain groups that have matched before it */
  private alternatives(certain: ReadonlySet<number>): Piece {
    if (++this.level > MOST_LEVELS) throw this.fault("(");
    const branches = [this.sequence(certain)];
    while (this.takes("|")) branches.push(this.sequence(certain));
    this.level--;
    if (branches.length === 1) return branches[0]!;
    return {
      source: branches.map(({ source }) => source).join("|"),
      least: Math.min(...branches.map(({ least }) => least)),
      most: Math.max(...branches.map(({ most }) => most)),
      isEmptyLast: branches.at(-1)!.isEmptyLast && branches.slice(0, -1).every(({ least }) => least > 0),
      groups: branches.flatMap(({ groups }) => groups),
      sure: [],
    };
  }

  private sequence(certain: ReadonlySet<number>): Piece {
    const known = new Set(certain);
    const pieces: Piece[] = [];
    while (this.at < this.text.length && !["|", ")"].includes(this.text[this.at]!)) {
      const piece = this.repeated(known);
      piece.sure.forEach((group) => known.add(group));
      pieces.push(piece);
    }
    return {
      source: pieces.map(({ source }) => source).join(""),
      least: pieces.reduce((sum, { least }) => sum + least, 0),
      most: pieces.reduce((sum, { most }) => sum + most, 0),
      isEmptyLast: pieces.some(({ least }) => least > 0) || pieces.every(({ isEmptyLast }) => isEmptyLast),
      groups: pieces.flatMap(({ groups }) => groups),
      sure: pieces.flatMap(({ sure }) => sure),
    };
  }

  /** An item with the quantifier that follows it. */
  private repeated(certain: ReadonlySet<number>): Piece {
    const start = this.at;
    const item = this.item(certain);
    const bounds = this.quantifier();
    if (!bounds) return item;
    const [least, most] = bounds;
    const lazy = this.takes("?") ? "?" : "";
    const isReset = item.least === 0 || item.groups.some((group) => !item.sure.includes(group));
    if ((most > 1 && isReset) || item.most === 0 || this.takes("+") || this.quantifier()) throw this.fault(this.from(start));
    return {
      source: `${item.source}{${least},${most === Infinity ? "" : most}}${lazy}`,
      least: item.least * least,
      most: most === 0 ? 0 : item.most * most,
      isEmptyLast: item.isEmptyLast && (least > 0 || lazy === ""),
      groups: item.groups,
      sure: least > 0 ? item.sure : [],
    };
  }

  private quantifier(): [least: number, most: number] | undefined {
    if (this.takes("*")) return [0, Infinity];
    if (this.takes("+")) return [1, Infinity];
    if (this.takes("?")) return [0, 1];
    const found = /^\{(?:(\d+)|(\d*),(\d*))\}/.exec(this.ahead(24));
    if (!found) return undefined;
    this.at += found[0].length;
    const [, exact, least, most] = found;
    return exact !== undefined ? [Number(exact), Number(exact)] : [Number(least), most === "" ? Infinity : Number(most)];
  }

  private item(certain: ReadonlySet<number>): Piece {
    const start = this.at;
    const character = this.text[this.at++]!;
    switch (character) {
      case "(":
        return this.group(start, certain);
      case "[":
        return single(this.set(start));
      case ".":
        return single(this.flags.dotAll ? "[^]" : "[^\\n]");
      case "^":
        return assertion(this.flags.multiline ? "(?<![^\\n])" : "^");
      case "$":
        return assertion(this.flags.multiline ? "(?![^\\n])" : "(?=\\n?$)");
      case "\\":
        return this.escape(start, certain);
      case "*":
      case "+":
      case "?":
        throw this.fault(character); // nothing to repeat
      default:
        this.at = start;
        if (this.quantifier()) throw this.fault(this.from(start));
        this.at = start + 1;
        return single(escaped(character));
    }
  }

  private group(start: number, certain: ReadonlySet<number>): Piece {
    const [, opening, name] = /^(\?(?::|=|!|<=|<!|P<([A-Za-z_]\w*)>)|)/.exec(this.ahead(200))!;
    if (opening === "" && this.text[this.at] === "?")
      throw this.fault(`(${/^\?[aiLmsux-]+[:)]|\?P?./.exec(this.ahead(20))?.[0] ?? "?"}`);
    this.at += opening!.length;
    const number = opening === "" || name !== undefined ? ++this.groups : undefined;
    const wasBehind = this.isBehind;
    this.isBehind ||= opening!.startsWith("?<");
    const inner = this.alternatives(certain);
    this.isBehind = wasBehind;
    if (!this.takes(")")) throw this.fault("(");
    if (number !== undefined) {
      if (name !== undefined && this.names.has(name)) throw this.fault(this.from(start));
      if (name !== undefined) this.names.add(name);
      this.widths.set(number, { least: inner.least, most: inner.most, isEmptyLast: true });
      const source = `(${name === undefined ? "" : `?<${name}>`}${inner.source})`;
      return { ...inner, source, groups: [...inner.groups, number], sure: [...inner.sure, number] };
    }
    const source = `(${opening}${inner.source})`;
    if (opening === "?:") return { ...inner, source };
    const isNegative = opening!.endsWith("!");
    const isVariable = opening!.startsWith("?<") && inner.least !== inner.most;
    if (isVariable || (isNegative && inner.groups.length > 0)) throw this.fault(this.from(start));
    return { ...inner, source, least: 0, most: 0, isEmptyLast: true };
  }

  private escape(start: number, certain: ReadonlySet<number>): Piece {
    const letter = this.text[this.at] ?? "";
    const found = ASSERTIONS.get(letter) ?? CLASSES.get(letter);
    if (found !== undefined) {
      this.at++;
      return ASSERTIONS.has(letter) ? assertion(found) : single(found);
    }
    const ahead = this.ahead(3);
    const reference = /^[1-7][0-7]{2}/.test(ahead) ? undefined : /^[1-9]\d?/.exec(ahead)?.[0];
    if (reference === undefined) return single(escaped(this.character(start)));
    this.at += reference.length;
    const width = this.widths.get(Number(reference));
    if (this.isBehind || !width || !certain.has(Number(reference))) throw this.fault(this.from(start));
    return { ...width, source: `(?:\\${reference})`, groups: [], sure: [] };
  }

  /** What is between brackets. */
  private set(start: number): string {
    const negation = this.takes("^") ? "^" : "";
    let parts = "";
    for (let isFirst = true; isFirst || this.text[this.at] !== "]"; isFirst = false) {
      const from = this.member(start);
      const isRange = this.text[this.at] === "-" && this.text[this.at + 1] !== "]" && this.at + 1 < this.text.length;
      if (!isRange) {
        parts += typeof from === "string" ? escapedInSet(from) : from.set;
        continue;
      }
      this.at++;
      const to = this.member(start);
      if (typeof from !== "string" || typeof to !== "string") throw this.fault(this.from(start));
      parts += `${escapedInSet(from)}-${escapedInSet(to)}`;
    }
    this.at++;
    return `[${negation}${parts}]`;
  }

  private member(start: number): string | { set: string } {
    const character = this.text[this.at++];
    if (character === undefined) throw this.fault("[");
    if (character !== "\\") return character;
    const letter = this.text[this.at] ?? "";
    const set = CLASSES.get(letter);
    if (set === undefined && letter !== "b") return this.character(start);
    this.at++;
    return set === undefined ? "\b" : { set };
  }

  /** The character that an escape stands for. */
  private character(start: number): string {
    const ahead = this.ahead(9);
    const octal = /^[0-7]{1,3}/.exec(ahead)?.[0];
    const hex = /^(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8}))/.exec(ahead);
    const letter = this.text[this.at] ?? "";
    const code =
      octal !== undefined ? parseInt(octal, 8) : hex ? parseInt((hex[1] ?? hex[2] ?? hex[3])!, 16) : ESCAPES.get(letter);
    this.at += octal?.length ?? hex?.[0].length ?? 1;
    if (code !== undefined && code <= (octal === undefined ? 0x10ffff : 0o377)) return String.fromCodePoint(code);
    if (code !== undefined || letter === "" || /[A-Za-z\d]/.test(letter)) throw this.fault(this.from(start));
    return letter;
  }

  private takes(character: string): boolean {
    if (this.text[this.at] !== character) return false;
    this.at++;
    return true;
  }

  private ahead(count: number): string {
    return this.text.slice(this.at, this.at + count).join("");
  }

  private from(start: number): string {
    return this.text.slice(start, this.at).join("");
  }
}

const single = (source: string): Piece => ({ source, least: 1, most: 1, isEmptyLast: true, groups: [], sure: [] });
const assertion = (source: string): Piece => ({ source, least: 0, most: 0, isEmptyLast: true, groups: [], sure: [] });
const escaped = (character: string): string => character.replace(/[\^$\\.*+?()[\]{}|/]/, "\\$&");
const escapedInSet = (character: string): string => character.replace(/[\^$\\.*+?()[\]{}|/&\-!#%,:;<=>@`~]/, "\\$&");
