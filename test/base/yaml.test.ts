import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { parseYaml, readYaml } from "../../src/base/formats/yaml";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "smaug-yaml-"))));
afterAll(() => rmSync(folder, { recursive: true }));

function failure(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was refused");
}

describe("YAML", () => {
  test("anchors, aliases and merge keys mean what they mean in PyYAML", () => {
    const text = "base: &base {r: 8, alpha: 16}\nall: [*base, *base]\nmine:\n  <<: *base\n  r: 4\n";
    // yaml.safe_load of PyYAML 6.0
    expect(parseYaml(text, "a.yaml")).toEqual({
      base: { r: 8, alpha: 16 },
      all: [
        { r: 8, alpha: 16 },
        { r: 8, alpha: 16 },
      ],
      mine: { r: 4, alpha: 16 },
    });
  });

  test("a hundred levels of indentation are read, and what looks like levels in text is none", () => {
    const text = Array.from({ length: 99 }, (_, i) => `${" ".repeat(i)}a:`).join("\n");
    expect(JSON.stringify(parseYaml(`${text} 1`, "a.yaml"))).toBe(`${'{"a":'.repeat(99)}1${"}".repeat(99)}`);
    const brackets = "[".repeat(200);
    expect(parseYaml(`a: "${brackets}"\nb: |\n  ${brackets}\n# ${brackets}\nc: x${brackets}`, "a.yaml")).toEqual({
      a: brackets,
      b: `${brackets}\n`,
      c: `x${brackets}`,
    });
    const many = Array.from({ length: 300 }, (_, i) => `k${i}:\n  - a: 1\n  - - b`).join("\n");
    expect(Object.keys(parseYaml(many, "a.yaml") as object)).toHaveLength(300);
  });

  test("an anchor that is set again stands for the later value", () => {
    expect(parseYaml("[&a 1, *a, &a 2, *a]", "a.yaml")).toEqual([1, 1, 2, 2]);
  });

  test("a key __proto__ changes no prototype", () => {
    const value = parseYaml("__proto__: {polluted: 1}\na: 1", "a.yaml") as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect("polluted" in {}).toBe(false);
  });

  const bomb = (levels: number) =>
    Array.from(
      { length: levels },
      (_, i) =>
        `a${i}: &a${i} [${Array(9)
          .fill(i === 0 ? "x" : `*a${i - 1}`)
          .join(",")}]`,
    ).join("\n");

  test.each([
    ["an alias bomb", bomb(9), /more than 100000 values, with every alias written out/],
    [
      "a bomb of merge keys",
      `a: &a {${Array.from({ length: 2000 }, (_, i) => `k${i}: 1`).join(", ")}}\n` +
        `b: {<<: [${Array(2000).fill("*a").join(", ")}]}`,
      /more than 100000 values/,
    ],
    ["an alias inside its anchor", "a: &a [1, *a]", /alias \*a inside what it stands for \(line 1\)/],
    ["an alias without an anchor", "a: 1\nb: *c", /alias \*c without an anchor before it \(line 2\)/],
    ["deep lists", `a: ${"[".repeat(100_000)}${"]".repeat(100_000)}`, /more than 100 levels of lists and objects \(line 1\)/],
    ["brackets after a text", `\na: "x"${"[".repeat(100_000)}`, /more than 100 levels of lists and objects \(line 2\)/],
    ["deep lists in block style", `${"- ".repeat(50_000)}x`, /more than 100 levels/],
    ["deep keys in block style", `${"? ".repeat(50_000)}x`, /more than 100 levels/], // aborted the process
    ["deep indentation", Array.from({ length: 1000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"), /more than 100 levels/],
    ["101 levels", `${"[".repeat(101)}1${"]".repeat(101)}`, /more than 100 levels/],
    ["a key twice", "beta: 1\nx: {a: 1, a: 2}", /the key 'a' twice \(line 2\)/],
    ["an unknown tag", "a: !!js/function 'function () {}'", /Unresolved tag/],
    ["several documents", "a: 1\n---\nb: 2", /multiple documents/],
    ["control characters in what is wrong", "a: [\u001b[2J", /^[^\u001b]*$/],
  ])("%s is refused with the file's name", (_, text, message) => {
    const started = performance.now();
    const error = failure(() => parseYaml(text, "bad.yaml"));
    expect(performance.now() - started).toBeLessThan(4000);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(/^Expected YAML in bad\.yaml but received: /);
    expect(error.message).toMatch(message);
  });

  test("many keys take linear time", () => {
    const text = Array.from({ length: 20_000 }, (_, i) => `k${i}: ${i}`).join("\n");
    const started = performance.now();
    expect(Object.keys(parseYaml(text, "a.yaml") as object)).toHaveLength(20_000);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test.each([
    ["a named pipe", (path: string) => execFileSync("mkfifo", [path]), "a named pipe"],
    ["a file of 2 MiB", (path: string) => writeFileSync(path, "#".repeat(2 ** 21)), "2097152 bytes"],
  ])("%s is not read", (name, make, found) => {
    const path = join(folder, `${name.replaceAll(" ", "-")}.yaml`);
    make(path);
    expect(() => readYaml(path, "a configuration")).toThrow(`at ${path} but received ${found}`);
  });
});
