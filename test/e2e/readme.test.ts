import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";

const root = resolve(__dirname, "../..");
const readme = readFileSync(join(root, "README.md"), "utf8");

it("runs the README's first program, which is among the examples, as a user would: from ln 2 to near 0", () => {
  const program = /```js\n(.*?)```/s.exec(readme)![1]!;
  expect(readFileSync(join(root, "examples/own-step.mjs"), "utf8")).toBe(program);
  const folder = mkdtempSync(join(tmpdir(), "smaug-readme-"));
  try {
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(root, join(folder, "node_modules", "smaug"));
    writeFileSync(join(folder, "package.json"), "{}"); // whatever is above the folder
    writeFileSync(join(folder, "first.mjs"), program);
    const lines = execFileSync(process.execPath, ["first.mjs"], { cwd: folder, encoding: "utf8" }).trim().split("\n");
    expect(lines).toHaveLength(6);
    expect(lines[0]).toBe("0 0.6931");
    expect(Number(lines.at(-1)!.split(" ")[1])).toBeLessThan(0.1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("has no placeholder left", () => {
  expect(readme).not.toMatch(/@@|TODO|TBD/);
});

it("names only npm scripts that exist", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };
  const named = [...readme.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name!);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});
