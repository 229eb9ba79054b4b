/** Copies of fixtures with one file damaged. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { damageJson, mutateBytes, mutateText, replaceBySpecial } from "./mutate.mjs";

/** A folder with the same files. */
export function copyFolder(from, to) {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    const source = join(from, name);
    if (statSync(source).isDirectory()) copyFolder(source, join(to, name));
    else copyFileSync(source, join(to, name));
  }
  return to;
}

/** Writes a file in the place of whatever is there. */
export function replace(path, content) {
  rmSync(path, { force: true, recursive: true });
  writeFileSync(path, content);
}

/** Damages a file by its kind; returns the note. */
export function damageFile(random, path, options = {}) {
  if (random.chance(0.03)) return replaceBySpecial(random, path);
  const content = readFileSync(path);
  let json;
  if (path.endsWith(".json") && random.chance(0.85)) json = JSON.parse(content);
  const isText = /\.(json|jsonl|ya?ml|jinja|txt)$/.test(path);
  const made =
    json !== undefined
      ? damageJson(random, json, options)
      : isText
        ? mutateText(random, content.toString())
        : mutateBytes(random, content);
  replace(path, made.bytes ?? made.text);
  return made.note;
}
