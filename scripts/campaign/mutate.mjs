/** Damage: to bytes, to text, to values in JSON, to files as such. Each function returns what it made, and a note of it. */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";

const NUMBERS = [
  "0",
  "-1",
  "1",
  "-0",
  "0.5",
  "1e308",
  "-1e308",
  "1e400",
  "4294967296",
  "2147483648",
  "9007199254740992",
  "18446744073709551615",
  "99999999999999999999999",
  "1e-320",
  "100000000",
];
const WORDS = [
  "NaN",
  "Infinity",
  "-Infinity",
  "None",
  "True",
  "nul",
  "'",
  '"',
  "{}",
  "[]",
  "[",
  "]",
  "{",
  "}",
  ",",
  ":",
  "\\",
  "\\u0000",
  "\\ud800",
  "//",
  "/*",
  "\u0000",
  "\u001b[2J",
  "\u202e",
  "\ufeff",
  "\u2028",
  "\r",
  "\t",
  "é",
  "😀",
  "%s",
  "../../x",
  "__proto__",
  "constructor",
];

/** One damage: the new bytes. `length` bytes at `position` are concerned; `at` returns another position. */
const EDITS = {
  flip: (random, bytes, position) => withByte(bytes, position, bytes[position] ^ (1 << random.integer(0, 7))),
  set: (random, bytes, position) => withByte(bytes, position, random.of([0, 255, 0x7f, 0x80, random.integer(0, 255)])),
  truncate: (_random, bytes, position) => bytes.subarray(0, position),
  remove: (_random, bytes, position, length) => Buffer.concat([bytes.subarray(0, position), bytes.subarray(position + length)]),
  insert: (random, bytes, position, length) =>
    Buffer.concat([bytes.subarray(0, position), random.bytes(length), bytes.subarray(position)]),
  repeat: (_random, bytes, position, length) => Buffer.concat([bytes.subarray(0, position + length), bytes.subarray(position)]),
  swap: (_random, bytes, position, length, at) => swap(bytes, position, at(), length),
  zero: (_random, bytes, position, length) => Buffer.from(bytes).fill(0, position, Math.min(bytes.length, position + length)),
  integer: (random, bytes, position) => withInteger(random, bytes, position),
  append: (random, bytes, _position, length) => Buffer.concat([bytes, random.bytes(length)]),
};

function withByte(bytes, position, value) {
  const out = Buffer.from(bytes);
  out[position] = value;
  return out;
}

/** Damaged bytes. */
export function mutateBytes(random, bytes) {
  let out = Buffer.from(bytes);
  const notes = [];
  const at = () => random.integer(0, Math.max(0, out.length - 1));
  for (
    let edits = random.weighted([
      [6, 1],
      [2, 2],
      [1, 5],
    ]);
    edits > 0;
    edits--
  ) {
    const position = at();
    const length = random.weighted([
      [4, 1],
      [3, random.integer(1, 16)],
      [1, random.integer(1, 400)],
    ]);
    const edit = random.of(["flip", ...Object.keys(EDITS)]);
    notes.push(`${edit} at ${position}`);
    if (out.length > 0 || !["flip", "set"].includes(edit)) out = EDITS[edit](random, out, position, length, at);
  }
  return { bytes: out, note: notes.join(", ") };
}

function swap(bytes, a, b, length) {
  const [first, second] = [Math.min(a, b), Math.max(a, b)];
  const size = Math.min(length, second - first, bytes.length - second);
  if (size <= 0) return bytes;
  const out = Buffer.from(bytes);
  bytes.copy(out, first, second, second + size);
  bytes.copy(out, second, first, first + size);
  return out;
}

const BIG = [
  0n,
  1n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n,
  2n ** 64n - 1n,
  1_900_000_000n,
  100_000_000n,
];

/** Writes a little-endian integer of 4 or 8 bytes that is huge, or an edge. */
export function withInteger(random, bytes, at, size = random.of([4, 8])) {
  if (bytes.length < size) return bytes;
  const out = Buffer.from(bytes);
  const value = random.of(BIG) + BigInt(random.integer(-1, 1));
  const position = Math.min(at, out.length - size);
  if (size === 8) out.writeBigUInt64LE(BigInt.asUintN(64, value), position);
  else out.writeUInt32LE(Number(BigInt.asUintN(32, value)), position);
  return out;
}

/**
 * Damaged text: as bytes, or numbers, words and nesting that parsers stumble over. Halves of a surrogate pair that was
 * cut become U+FFFD, as they do in a file.
 */
export function mutateText(random, text) {
  const position = random.integer(0, text.length);
  const put = (piece, note) => ({
    text: (text.slice(0, position) + piece + text.slice(position)).toWellFormed(),
    note: `${note} at ${position}`,
  });
  switch (random.of(["bytes", "bytes", "number", "word", "nest", "long", "number", "word", "lines"])) {
    case "number": {
      const numbers = [...text.matchAll(/-?\d+(\.\d+)?(e[+-]?\d+)?/gi)];
      const value = random.of(NUMBERS);
      if (numbers.length === 0) return put(value, `inserted ${value}`);
      const { 0: old, index } = random.of(numbers);
      return {
        text: text.slice(0, index) + value + text.slice(index + old.length),
        note: `${old} → ${value} at ${index}`,
      };
    }
    case "word": {
      const word = random.of(WORDS);
      return put(word, `inserted ${JSON.stringify(word)}`);
    }
    case "nest": {
      const depth = random.of([600, 5000, 100_000]);
      const open = random.of(["[", '{"a":']);
      return put(open.repeat(depth) + (random.chance(0.5) ? (open === "[" ? "]" : "}").repeat(depth) : ""), `${depth} levels`);
    }
    case "long": {
      const length = random.of([10_000, 1_000_000]);
      return put(random.of(["a", "9", " ", "\n", "ab ", "(", "- "]).repeat(length), `${length} repeats`);
    }
    case "lines": {
      const lines = text.split("\n");
      const [a, b] = [random.integer(0, lines.length - 1), random.integer(0, lines.length - 1)];
      const edit = random.of(["swap", "repeat", "remove"]);
      if (edit === "swap") [lines[a], lines[b]] = [lines[b], lines[a]];
      else if (edit === "repeat") lines.splice(a, 0, lines[b]);
      else lines.splice(a, 1);
      return { text: lines.join("\n"), note: `${edit} line ${a}` };
    }
    default: {
      const { bytes, note } = mutateBytes(random, Buffer.from(text));
      return { bytes, note };
    }
  }
}

const LONG = "x".repeat(200_000);
/** JSON sources of values that fit nowhere. */
const NASTY = [
  "null",
  "true",
  "false",
  "-1",
  "0",
  "1",
  "3",
  "0.5",
  "1e308",
  "-1e308",
  "1e400",
  "9007199254740992",
  "4294967296",
  "100000000",
  "1000000",
  "1e-320",
  '""',
  '"x"',
  '"../../etc"',
  '"\\u0000"',
  '"\\u001b]0;x\\u0007"',
  '"\\ud800"',
  '"NaN"',
  '"true"',
  '"12"',
  '"(a+)+$"',
  '"((x*)*)*y"',
  '"(?=(a+)+$)a"',
  '"["',
  '"{{ x"',
  '"{% for i in x %}"',
  "[]",
  "[null]",
  "[[]]",
  "[1]",
  '["x"]',
  "[-1, 1e9]",
  "{}",
  '{"x": 1}',
  '{"__proto__": {"x": 1}}',
  "NaN",
  "Infinity",
  "-Infinity",
  `"${LONG}"`,
  `${"[".repeat(700)}${"]".repeat(700)}`,
  `[${"1,".repeat(20_000)}1]`,
];

/**
 * JSON with values replaced, keys added, renamed and removed. The result is text, so that it can hold what JavaScript's
 * own JSON cannot (NaN, huge numbers, keys that occur twice).
 *
 * @param keys further keys that the reader knows, to be added
 */
function mutateJson(
  random,
  value,
  {
    keys = [],
    nasty = NASTY,
    edits = random.weighted([
      [6, 1],
      [3, 2],
      [1, 4],
    ]),
  } = {},
) {
  const root = { value: structuredClone(value) };
  const raw = new Map();
  const notes = [];
  for (; edits > 0; edits--) {
    const places = placesIn(root);
    const { parent, key, path } = random.of(places);
    const edit = random.weighted([
      [8, "replace"],
      [2, "remove"],
      [2, "rename"],
      [2, "copy"],
      [2, "add"],
    ]);
    if (edit === "replace") {
      const source = random.of(nasty);
      const mark = `\u0001raw${raw.size}\u0001`;
      raw.set(mark, source);
      parent[key] = mark;
      notes.push(`${path} = ${source.slice(0, 40)}`);
    } else if (edit === "copy") {
      const from = random.of(places);
      parent[key] = structuredClone(from.parent[from.key]);
      notes.push(`${path} = ${from.path}`);
    } else if (edit === "add" && keys.length > 0 && isObject(root.value)) {
      const name = random.of(keys);
      const mark = `\u0001raw${raw.size}\u0001`;
      raw.set(mark, random.of(nasty));
      root.value[name] = mark;
      notes.push(`${name} = ${raw.get(mark).slice(0, 40)}`);
    } else if (parent !== root) {
      notes.push(`${edit} ${path}`);
      if (Array.isArray(parent)) parent.splice(key, 1);
      else {
        const old = parent[key];
        delete parent[key];
        if (edit === "rename")
          parent[random.of(["x", "", key.toUpperCase(), `${key}_`, "constructor", "toString", "length"])] = old;
      }
    }
  }
  let text = JSON.stringify(root.value, null, random.of([0, 2])) ?? "null";
  for (const [mark, source] of raw) text = text.split(JSON.stringify(mark)).join(source);
  return { text, note: notes.join("; ") };
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Every value of a JSON document with where it is; long lists (vocabularies) count as a few. */
function placesIn(root) {
  const places = [];
  const visit = (parent, key, path) => {
    places.push({ parent, key, path });
    const value = parent[key];
    if (typeof value !== "object" || value === null) return;
    const names = Object.keys(value);
    const some = names.length <= 60 ? names : [...names.slice(0, 20), ...names.slice(-20)];
    for (const name of some) visit(value, Array.isArray(value) ? Number(name) : name, `${path}.${name}`);
  };
  visit(root, "value", "$");
  return places;
}

/** The same JSON, written differently: what is read from it must not change. */
export function sameJson(random, value) {
  const shuffled = (each) => {
    if (Array.isArray(each)) return each.map(shuffled);
    if (!isObject(each)) return each;
    const entries = Object.entries(each).map(([name, inner]) => [random.number(), name, shuffled(inner)]);
    return Object.fromEntries(entries.sort((a, b) => a[0] - b[0]).map(([, name, inner]) => [name, inner]));
  };
  let text = JSON.stringify(shuffled(value), null, random.of([0, 1, 4, "\t"]));
  if (random.chance(0.5)) text = text.replace(/[^\u0000-\u007f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  if (random.chance(0.3)) text = ` \r\n${text}\n\n`;
  return text;
}

/** Damages JSON in one of the ways above. `value` is the parsed content of `text`. */
export function damageJson(random, value, options) {
  if (random.chance(0.75)) return mutateJson(random, value, options);
  return mutateText(random, JSON.stringify(value, null, random.of([0, 2])));
}

/** Replaces a file by something that is none, or that is not to be read whole. */
export function replaceBySpecial(random, path) {
  rmSync(path, { recursive: true, force: true });
  const what = random.of(["folder", "pipe", "zeros", "nothing", "loop", "empty", "sparse", "missing"]);
  if (what === "folder") mkdirSync(path);
  else if (what === "pipe") execFileSync("mkfifo", [path]);
  else if (what === "zeros") symlinkSync("/dev/zero", path);
  else if (what === "nothing") symlinkSync("/nowhere/to/be/found", path);
  else if (what === "loop") symlinkSync(path, path);
  else if (what !== "missing") {
    writeFileSync(path, "");
    if (what === "sparse") truncateSync(path, 3 * 2 ** 30);
  }
  return `is ${what}`;
}
