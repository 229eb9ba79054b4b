import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { allowance } from "../../src/base/timeLimit";
import { regexFilter } from "../../src/evaluate";
import { exactMatch } from "../../src/evaluate/metrics";
import { readTaskFile } from "../../src/evaluate/tasks/file";
import type { AnswerTask } from "../../src/evaluate/tasks/task";
import { RowTemplate } from "../../src/evaluate/tasks/template";
import { isTarget, lora, loraRank } from "../../src/nn/adapters/loraConfig";

const { seconds } = allowance;
afterEach(() => {
  allowance.seconds = seconds;
});
const answer = `${"a".repeat(40)}!`;

/** The task of a file with these lines, and its name. */
async function task(...lines: string[]) {
  const folder = mkdtempSync(join(tmpdir(), "smaug-task-"));
  const file = join(folder, "task.yaml");
  const whole = ["dataset_path: rows.jsonl", "test_split: test", 'doc_to_text: "{{q}}"', 'doc_to_target: "{{a}}"', ...lines];
  writeFileSync(file, whole.join("\n"));
  try {
    return { file, task: (await readTaskFile(file)) as AnswerTask };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
const faultOf = (...lines: string[]) =>
  task(...lines).then(
    () => "no error",
    (error: unknown) => (error as InputError).message,
  );
const regexStep = (pattern: string, more = "") =>
  `filter_list: [{name: x, filter: [{function: regex, regex_pattern: '${pattern}'${more}}]}]`;

test("a filter of the library that does not end is named", () => {
  allowance.seconds = 0.1;
  const filter = regexFilter("mine", /(a+)+$/, 0, "[invalid]");
  expect(() => filter.apply(answer)).toThrow(InputError);
  expect(() => filter.apply(answer)).toThrow(
    "Expected the regular expression /(a+)+$/ for the filter 'mine' to match a text of 41 characters",
  );
  expect(filter.apply("b aa")).toBe("aa");
  expect(() => exactMatch(answer, answer, { regexesToIgnore: [/(a+)+$/] })).toThrow("for 'regexesToIgnore'");
  expect(() => regexFilter("mine", "a" as unknown as RegExp)).toThrow("Expected a regular expression for the filter 'mine'");
});

test("a filter of a task file that does not end is named with its key and file", async () => {
  const { file, task: found } = await task(regexStep("(a+)+$"));
  allowance.seconds = 0.1;
  expect(() => found.filters[0]!.apply(answer)).toThrow(`for 'filter_list' of '${file}' to match a text of 41 characters`);
});

test.each([
  [regexStep("("), "Expected a regular expression for 'filter_list' of"],
  [regexStep("a{1,1000000000}"), "Expected at most 100000 repetitions in the regular expression for 'filter_list' of"],
  [regexStep("(?P<a>b)(?P<a>c)"), "Expected a regular expression for 'filter_list' of"],
  [regexStep("a", ", group_select: x"), "Expected an integer for 'group_select' in 'filter_list' of"],
  [regexStep("a", ", fallback: 3"), "Expected a text for 'fallback' in 'filter_list' of"],
  ["metric_list: [{metric: exact_match, regexes_to_ignore: 3}]", "Expected a list for 'regexes_to_ignore' in"],
  [`metadata: {x: ${"[".repeat(600)}${"]".repeat(600)}}`, "more than 100 levels of lists and objects (line"],
  [`# ${"x".repeat(2 ** 20)}`, "Expected a task file of at most 1048576 bytes"],
])("a task file's wrong value is named: %#", async (line, message) => {
  expect(await faultOf(line)).toContain(message);
});

test("Python's named groups and anchors are still read", async () => {
  const { task: found } = await task(regexStep("(?P<n>[0-9]+)\\Z"));
  expect(found.filters[0]!.apply("1 and 23")).toBe("23");
});

// What `re.findall(pattern, text)[0]` gives, or nothing where it finds nothing.
test.each([
  ["\\w+", "\u00ef\u00b2!", "\u00ef\u00b2"],
  ["\\d+", "x\u06634", "\u06634"],
  ["a$", "ba\n", "a"],
  ["b$", "b\r", "[invalid]"],
  ["(a.)b", "a\rb", "a"],
  ["a.b", "a\nb", "[invalid]"],
  ["(?s)a.(b)", "a\nb", "b"],
  ["(?m)^(b)$", "a\nb\nc", "b"],
  ["(?m)^b$", "a\rb", "[invalid]"],
  ["(?i)ANSWER: (\\w)", "answer: \u00e9", "\u00e9"],
])("%s matches what Python's re matches", async (pattern, text, found) => {
  const { task: read } = await task(regexStep(pattern));
  expect(read.filters[0]!.apply(text)).toBe(found);
});

test("a pattern that JavaScript would match differently is refused", async () => {
  expect(await faultOf(regexStep("(?:(a)|(b))+"))).toMatch(
    /^Expected a regular expression for 'filter_list' of '.*' but received \/\(\?:\(a\)\|\(b\)\)\+\/: '\(\?:\(a\)\|\(b\)\)\+' is invalid, or/,
  );
});

test("a template of a task that doubles a list is named", () => {
  const source = "{% set ns = namespace(x=[q]) %}{% for i in r %}{% set ns.x = ns.x + ns.x %}{% endfor %}";
  const template = RowTemplate.parse(source, "'doc_to_text' of 'my.yaml'");
  const row = { q: "a", r: Array.from({ length: 60 }, (_, i) => i) };
  expect(() => template.render(row)).toThrow("for 'doc_to_text' of 'my.yaml' but it makes a list of 1048576 items");
  const parse = (expression: string) => () => RowTemplate.parse(`{{ ${expression}`, "'doc_to_text'");
  expect(parse(`${"(".repeat(100_000)}1 }}`)).toThrow("does not parse: it nests or recurses too deep");
  expect(parse(`${"{".repeat(50_000)} a`)).toThrow(InputError);
});

test.each(["targetModules", "excludeModules"] as const)("an adapter's %s that does not end is named", (key) => {
  const config = lora({ [key]: "((([a-z0-9_.])+)+)+!" });
  allowance.seconds = 0.1;
  expect(() => isTarget(config, "model.layers.0.self_attn.q_proj")).toThrow(RangeError);
  expect(() => isTarget(config, "model.layers.0.self_attn.q_proj")).toThrow(`for '${key}' to match a text of 31 characters`);
});

test("an adapter's other patterns are bounded too", () => {
  const name = "model.layers.0.self_attn.q_proj";
  const bad = "((([a-z0-9_.])+)+)+!";
  const [ranks, saved, layers] = [
    lora({ rankPattern: { [bad]: 4 } }),
    lora({ modulesToSave: [bad] }),
    lora({ targetModules: ["q_proj"], layersToTransform: [0], layersPattern: [bad] }),
  ];
  allowance.seconds = 0.1;
  expect(() => loraRank(ranks, name)).toThrow("for 'rankPattern'");
  expect(() => isTarget(saved, name)).toThrow("for 'modulesToSave'");
  expect(() => isTarget(layers, `${"model.".repeat(6)}0.q_proj`)).toThrow("for 'layersPattern'");
});

test("names as patterns mean what PEFT's patterns mean", () => {
  const config = lora({ targetModules: ["q_proj"], modulesToSave: ["lm_head"], rankPattern: { q_proj: 4, "layers.1.k": 2 } });
  const at = (name: string) => [isTarget(config, name), loraRank(config, name)];
  expect(at("model.q_proj")).toEqual([true, 4]);
  expect(at("model.xq_proj")).toEqual([false, 16]);
  expect(at("lm_head.q_proj")).toEqual([false, 4]); // within a module that is saved whole
  expect(at("model.layers.1.k")).toEqual([false, 2]);
  expect(() => lora({ targetModules: Array(10_001).fill("a") })).toThrow("Expected at most 10000 names for 'targetModules'");
  expect(() => lora({ targetModules: "a{1,1000000000}" })).toThrow("Expected at most 100000 repetitions");
});
