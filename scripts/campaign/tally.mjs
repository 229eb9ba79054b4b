/** What was found: counts by kind, the inputs that found it, the table. */
import { cpSync, existsSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const COUNTS = ["crashes", "hangs", "memory", "unclear", "wrong"];
const TITLES = {
  inputs: "inputs",
  crashes: "crashes",
  hangs: "hangs",
  memory: "memory",
  unclear: "unclear messages",
  wrong: "wrong results",
};
/** Inputs that are kept for one fault; further ones are only counted. */
const KEPT = 2;

export class Tally {
  #rows = new Map();
  #seen = new Map();
  /** Folders of saved inputs. */
  saved = [];
  notes = new Set();
  /** Kinds that could not run, with the reason. */
  broken = new Map();

  /** @param folder where inputs are saved: it is made with the first one */
  constructor(kinds, { folder, seed, say = () => {} }) {
    for (const { name } of kinds) this.#rows.set(name, Object.fromEntries(["inputs", ...COUNTS].map((count) => [count, 0])));
    Object.assign(this, { folder, seed, say });
  }

  add(kind, inputs = 1) {
    this.#rows.get(kind).inputs += inputs;
  }

  inputs(kind) {
    return this.#rows.get(kind).inputs;
  }

  /** Something that counts as no fault, and that the reader of the table should know. */
  note(text) {
    if (this.notes.has(text)) return;
    this.notes.add(text);
    this.say(`note: ${text}`);
  }

  /** A kind that cannot go on: no fault of the product is known, and none was looked for. */
  broke(kind, error) {
    this.broken.set(kind, String(error?.stack ?? error));
    this.say(`${kind} could not run: ${this.broken.get(kind)}`);
  }

  /**
   * @param fault `{ type, text, note, files }`: `type` a column, `note` what was done to the input, `files` a folder that
   *   holds the input
   * @param how lines that reproduce it
   * @returns the folder it was saved in, unless it was only counted
   */
  fault(kind, input, fault, how) {
    const type = { hang: "hangs", crash: "crashes" }[fault.type] ?? fault.type;
    this.#rows.get(kind)[type]++;
    const signature = `${kind} ${type} ${fault.text
      .replace(/\/[\w./-]+/g, "PATH")
      .replace(/\d+/g, "N")
      .slice(0, 160)}`;
    const seen = (this.#seen.get(signature) ?? 0) + 1;
    this.#seen.set(signature, seen);
    if (seen > KEPT) return undefined;
    const folder = join(this.folder, `${kind.replaceAll(/\W+/g, "-")}-${type}-${input}`);
    mkdirSync(folder, { recursive: true });
    if (fault.files && existsSync(fault.files)) copyInput(fault.files, join(folder, "input"));
    writeFileSync(
      join(folder, "how.txt"),
      [`${kind}: ${type}`, fault.text, ...(fault.note ? [`input: ${fault.note}`] : []), "", ...how, ""].join("\n"),
    );
    this.saved.push(folder);
    this.say(`${kind}, ${type}: ${fault.text.slice(0, 300)}\n  ${folder}`);
    return folder;
  }

  /** How often each fault was found, most often first. */
  distinct() {
    return [...this.#seen].sort((a, b) => b[1] - a[1]).map(([signature, times]) => ({ signature, times }));
  }

  /** Whether every kind ran and nothing was found. */
  get clean() {
    return this.broken.size === 0 && [...this.#rows.values()].every((row) => COUNTS.every((count) => row[count] === 0));
  }

  toJSON() {
    return {
      seed: this.seed,
      kinds: Object.fromEntries(this.#rows),
      notes: [...this.notes],
      broken: Object.fromEntries(this.broken),
      saved: this.saved,
    };
  }

  table() {
    const columns = ["inputs", ...COUNTS];
    const width = Math.max(...[...this.#rows.keys()].map((name) => name.length), "in all".length) + 2;
    const line = (name, row) =>
      name.padEnd(width) + columns.map((each) => String(row[each]).padStart(TITLES[each].length + 2)).join("");
    const total = Object.fromEntries(
      columns.map((each) => [each, [...this.#rows.values()].reduce((sum, row) => sum + row[each], 0)]),
    );
    return [
      "".padEnd(width) + columns.map((each) => TITLES[each].padStart(TITLES[each].length + 2)).join(""),
      ...[...this.#rows].map(([name, row]) => line(name, row)),
      line("in all", total),
    ].join("\n");
  }
}

/** FIFOs and devices are left out: a copy would wait for them. */
function copyInput(from, to) {
  cpSync(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => {
      const stats = lstatSync(path);
      return (stats.isFile() || stats.isDirectory() || stats.isSymbolicLink()) && stats.size < 64 * 2 ** 20;
    },
  });
}
