import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { dataCommand } from "../../src/cli/data/command";
import { tinyFolder } from "../text/tiny";
import { runCommand } from "./command";

let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "smaug-inspect-"))));
beforeAll(() => void vi.stubEnv("XDG_CACHE_HOME", folder));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => void (process.exitCode = 0));

const pairs = [
  { prompt: "a:\n", chosen: "hello\nb", rejected: "c" },
  { prompt: "a:", chosen: "b", rejected: "b" },
  { prompt: "a:", chosen: "bcdefghijk", rejected: "c" },
];

function fileOf(rows: readonly object[]): string {
  const file = join(folder, "pairs.jsonl");
  writeFileSync(file, rows.map((row) => JSON.stringify(row)).join("\n"));
  return file;
}

const smaug = (...args: string[]) => runCommand(dataCommand(), ...args);

test("shows the rows with their mask, lengths, distances and what is wrong", async () => {
  const { status, stdout } = await smaug("inspect", fileOf(pairs), "--model", tinyFolder(), "--max-length", "8");
  expect(status).toBe(0);
  expect(stdout).toContain("<bos>a:↵\n\n  chosen\n│hello│↵\n│b│<eos>│\n  rejected\n│c│<eos>│\n");
  expect(stdout).toContain("chosen tokens: mean 4.5, median 4, 95 % within 5, longest 5\n");
  expect(stdout).toContain(`  5 ${"█".repeat(40)} 1\n`);
  expect(stdout).toMatch(/edit distance between the answers, in tokens of the longer one: mean 0\.78/);
  expect(stdout).toMatch(/\n2 of 3 rows of .* can be trained on; look at these:\n- 1 of 3 rows cannot [^]*row 1: /);
  expect(stdout).toMatch(/\n- 1 answer of 1 row is longer than 8 tokens .*\n$/);
});

test("prints JSON", async () => {
  const { status, stdout } = await smaug("inspect", fileOf(pairs), "--json");
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ source: join(folder, "pairs.jsonl"), unit: "words", rows: 3, usable: 2 });
});

test("maps columns and names those that are not read", async () => {
  const file = fileOf([{ question: "a", chosen: "b", rejected: "c", source: "d" }]);
  const { status, stdout, stderr } = await smaug("inspect", file, "--column-mapping", "question=prompt", "--json");
  expect([status, stderr]).toEqual([0, expect.stringMatching(/^not read: source$/m)]);
  expect(JSON.parse(stdout)).toMatchObject({ samples: [{ chosen: { prompt: "a", completion: ["b"] } }] });
});

test("takes one config of a folder whose card declares several, and asks which", async () => {
  const source = join(folder, "configs");
  for (const name of ["en", "de"]) {
    mkdirSync(join(source, name), { recursive: true });
    writeFileSync(join(source, name, "train.jsonl"), JSON.stringify({ prompt: name, chosen: "b", rejected: "c" }));
  }
  writeFileSync(
    join(source, "README.md"),
    "---\nconfigs:\n- {config_name: en, data_dir: en}\n- {config_name: de, data_dir: de}\n---\n",
  );
  const { stdout } = await smaug("inspect", source, "--dataset-config", "de", "--json");
  expect(JSON.parse(stdout)).toMatchObject({ rows: 1, samples: [{ chosen: { prompt: "de" } }] });
  const asked = await smaug("inspect", source);
  expect([asked.status, asked.stderr]).toEqual([2, expect.stringContaining("declares ('en', 'de') but received none")]);
});

test.each([
  [["inspect", "pairs.jsonl", "--column-mapping", "question"], /Expected pairs such as question=prompt,good=chosen/],
  [
    ["inspect", "pairs.jsonl", "--column-mapping", "{question: promt}"],
    /error: Expected one of prompt, chosen, .* received "promt"/,
  ],
  [
    ["inspect", "pairs.jsonl", "--column-mapping", '{"question": "promt"}'],
    /error: Expected one of prompt, chosen, .* received "promt"/,
  ],
  [
    ["inspect", "pairs.jsonl", "--column-mapping", "question=promt"],
    /error: Expected one of prompt, chosen, .* received "promt"/,
  ],
  [["inspect"], /missing required argument 'source'/],
  [["inspect", "nowhere.jsonl"], /error: Expected a data file at 'nowhere\.jsonl', but there is no such file/],
  [["inspect", "pairs.jsonl", "--max-length", "0", "--model", "."], /Expected an integer from 2\./],
  [["inspect", "pairs.jsonl", "--max-length", "8"], /--max-length counts tokens; name .* with --model/],
])("%j is bad usage", async (args, message) => {
  expect(await smaug(...args)).toEqual({ status: 2, stdout: "", stderr: expect.stringMatching(message) });
});

/** What a terminal would obey: C0 but for newline and tab, DEL, C1, and what reorders text. */
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;
const nasty = "\u001b]0;pwned\u0007\u001b[2J\r\u009b31m\u007f\u202e";

test("control characters of rows, keys, files and options are shown, not obeyed, with and without a model", async () => {
  const rows = [
    { prompt: `a${nasty}`, chosen: `b${nasty}`, rejected: `c${nasty}` },
    { prompt: "a", chosen: "b", rejected: "b" },
  ];
  for (const more of [[], ["--model", tinyFolder()]]) {
    const { status, stdout, stderr } = await smaug("inspect", fileOf(rows), ...more);
    expect(status).toBe(0);
    expect(stdout + stderr).not.toMatch(OBEYED);
    if (more.length === 0) expect(stdout).toContain("a\\x1b]0;pwned\\x07\\x1b[2J\\x0d\\x9b31m\\x7f\\u202e");
  }
  const { stdout } = await smaug("inspect", fileOf(rows), "--json");
  expect(stdout).not.toMatch(OBEYED);
  expect((JSON.parse(stdout) as { samples: { chosen: { prompt: string } }[] }).samples[0]!.chosen.prompt).toBe(`a${nasty}`);

  const broken = join(folder, "broken.jsonl");
  for (const text of [`${nasty}{"broken`, JSON.stringify({ [nasty]: 1 }), JSON.stringify({ chosen: { a: nasty } })]) {
    writeFileSync(broken, text);
    expect(await smaug("inspect", broken)).toEqual({ status: 2, stdout: "", stderr: expect.not.stringMatching(OBEYED) });
  }
  for (const args of [[`no${nasty}.jsonl`], [fileOf(rows), "--split", nasty], [`--opt${nasty}`]])
    expect(await smaug("inspect", ...args)).toEqual({ status: 2, stdout: "", stderr: expect.not.stringMatching(OBEYED) });
});

test("a message that quotes a whole file is cut", async () => {
  const broken = join(folder, "broken.jsonl");
  const keys = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${i}${"k".repeat(10_000)}`, 1]));
  writeFileSync(broken, JSON.stringify(keys));
  const { status, stderr } = await smaug("inspect", broken);
  expect(status).toBe(2);
  expect(stderr.length).toBeLessThan(11_000);
});

test("shows rows without a rejected answer, and says what they are for", async () => {
  const rows = [
    { prompt: "a:", completion: "hello" },
    { prompt: "a:", completion: "b" },
  ];
  const { status, stdout } = await smaug("inspect", fileOf(rows), "--model", tinyFolder());
  expect(status).toBe(0);
  expect(stdout).toContain("<bos>a:\n  chosen\n│hello│<eos>│\n");
  expect(stdout).not.toMatch(/edit distance|rejected tokens/);
  expect(stdout).toMatch(/look at these:\n- no row has a rejected answer: only loss_type sft can train on these\n$/);
});
