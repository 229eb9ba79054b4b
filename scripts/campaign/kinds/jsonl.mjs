/** Damaged JSON Lines, compared with what JSON.parse makes of each line. */
import { join } from "node:path";
import { replace } from "../folders.mjs";
import { damageJson, mutateText, replaceBySpecial } from "../mutate.mjs";
import { judgeInput, wrong } from "../product.mjs";
import { compareRows, expectedRows, loaded, malformed, someRows } from "./rows.mjs";

const KEYS = ["prompt", "chosen", "rejected", "tools", "chat_template_kwargs", "system", "question", "messages"];

export default {
  name: "JSONL",
  share: 2,
  batch: 150,
  minimum: 3000,
  async make(random, folder) {
    const { text, note } = damagedLines(random);
    const file = join(folder, "pairs.jsonl");
    replace(file, text);
    const special = random.chance(0.02) ? replaceBySpecial(random, file) : undefined;
    return {
      note: special ?? note,
      names: ["pairs.jsonl"],
      command: ["data", "inspect", file],
      expected: special ? undefined : readLines(text),
      run: async function () {
        const rows = await loaded(file);
        if (this.expected === "broken") return wrong("a line that is not JSON was taken");
        const why = malformed(rows) ?? (this.expected && compareRows(this.expected, rows));
        if (why) return wrong(why);
      },
    };
  },
  judge: judgeRows,
};

/** A refusal of rows that are all good is a wrong result, unless something in them may be refused. */
export function judgeRows(error, made) {
  const isDeep = /Expected at most \d+ levels of lists and objects/.test(error.message ?? ""); // a limit that is documented
  if (Array.isArray(made.expected) && !made.mayRefuse && !isDeep)
    return wrong(`rows that are all good were refused: ${error.message?.slice(0, 300)}`);
  return judgeInput(error, made);
}

export function damagedLines(random) {
  const rows = someRows(random);
  const lines = rows.map((row) => JSON.stringify(row));
  const notes = [];
  for (
    let edits = random.weighted([
      [5, 1],
      [2, 3],
      [1, 0],
    ]);
    edits > 0;
    edits--
  ) {
    const at = random.integer(0, lines.length - 1);
    if (random.chance(0.6)) {
      const made = damageJson(random, rows[at], { keys: KEYS });
      lines[at] = String(made.bytes ?? made.text).replace(/\n */g, random.chance(0.9) ? " " : "\n");
      notes.push(`line ${at + 1}: ${made.note}`);
      if (made.bytes)
        return {
          text: Buffer.concat([Buffer.from(`${lines.slice(0, at).join("\n")}\n`), made.bytes]),
          note: notes.join("; "),
        };
    } else {
      const made = mutateText(random, lines.join("\n"));
      notes.push(made.note);
      return { text: made.bytes ?? made.text, note: notes.join("; ") };
    }
  }
  const end = random.of(["\n", "\r\n", "\n\n", "\n"]);
  return {
    text: (random.chance(0.1) ? "\ufeff" : "") + lines.join(end) + (random.chance(0.7) ? end : ""),
    note: notes.join("; "),
  };
}

const DEPTH = 400;

/** The rows a file must give; "broken" when a line is not JSON (nor Python's); undefined when that is not known. */
export function readLines(content) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(content));
  } catch {
    return undefined; // not UTF-8
  }
  const values = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    try {
      values.push(JSON.parse(line));
    } catch {
      return /NaN|Infinity/.test(line) || line.length > 100_000 ? undefined : "broken";
    }
    if (line.length > 100_000 || depthOf(values.at(-1)) > DEPTH) return undefined;
    // Columns with a meaning of their own may be refused, and so may a key that occurs twice.
    if (/"(tools|chat_template_kwargs|messages|images?|label)"/.test(line)) return undefined;
  }
  return expectedRows(values);
}

function depthOf(value) {
  let [level, depth] = [[value], 0];
  while (level.length > 0 && depth < 2 * DEPTH) {
    level = level.flatMap((each) => (typeof each === "object" && each !== null ? Object.values(each) : []));
    depth++;
  }
  return depth;
}
