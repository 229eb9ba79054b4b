import { join } from "node:path";
import { expect, test } from "vitest";
import { InputError } from "../../src/base/errors";
import { tokenizeRows } from "../../src/data/tokenize/tokenizePairs";
import { ChatTemplateError, loadTokenizer } from "../../src/text";
import { ChatRenderer } from "../../src/text/chatTemplate";
import { tinyFolder, tokenizerConfig } from "./tiny";

const renderer = new ChatRenderer({}, { timeLimit: 1_000 });
const patient = new ChatRenderer({});
const render = (template: string, variables = {}, by = patient) =>
  by.render(template, { messages: [], tools: null, ...variables });

function thrown(work: () => unknown): unknown {
  try {
    return void work();
  } catch (error) {
    return error;
  }
}

const doubled = (start: string, step: string, end: string) =>
  `{% set ns = namespace(x=${start}) %}{% for i in range(60) %}{% set ns.x = ${step} %}{% endfor %}${end}`;

test.each([
  ["a list that doubles", doubled("[1]", "ns.x + ns.x", ""), "makes a list of 1048576 items; the limit is 1000000"],
  ["a text that doubles", doubled("'a'", "ns.x + ns.x", ""), "makes a string of 33554432 characters; the limit is 16777216"],
  ["a text that doubles by ~", doubled("'a'", "ns.x ~ ns.x", ""), "makes a string of 33554432 characters"],
  [
    "a list that holds itself twice, printed",
    doubled("[1]", "[ns.x, ns.x]", "{{ ns.x }}"),
    "has a value of more than 1000000 parts",
  ],
  ["the same in JSON", doubled("[1]", "[ns.x, ns.x]", "{{ ns.x | tojson }}"), "has a value of more than 1000000 parts"],
  ["the same joined", doubled("[1]", "[ns.x, ns.x]", "{{ ns.x | join }}"), "has a value of more than 1000000 parts"],
  [
    "two of them compared",
    "{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set ns.x, ns.y = [ns.x, ns.x], [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
    "has a value of more than 1000000 parts",
  ],
  [
    "a tuple that holds itself twice, as a key",
    doubled("(1,)", "(ns.x, ns.x)", "{{ {ns.x: 1} }}"),
    "has a value of more than 1000000 parts",
  ],
  [
    "the same, sought for doubles",
    doubled("(1,)", "(ns.x, ns.x)", "{{ [ns.x] | unique | list }}"),
    "has a value of more than 1000000 parts",
  ],
  ["a date of many dates", "{{ strftime_now('%c' * 1000000) }}", "makes a string of 24000000 characters"],
  [
    "the same in a mapping",
    doubled("{'a': 1}", "{'a': ns.x, 'b': ns.x}", "{{ ns.x | string }}"),
    "has a value of more than 1000000 parts",
  ],
  ["a wide indent", "{{ 'a\\nb' | indent(1000000000) }}", "makes a string of 1000000000 characters"],
  ["a wide indent of a block", "{% filter indent(1000000000) %}a\nb{% endfilter %}", "makes a string of 1000000000 characters"],
  ["a wide indent of JSON", "{{ [1] | tojson(indent=100000000) }}", "makes a string of 100000000 characters"],
  ["a long separator", doubled("'a'", "ns.x", "{{ range(100000) | join('x' | indent(1) ~ y) }}"), "makes a string of"],
  ["a replacement of every character", "{{ y | replace('a', y) }}", "makes a string of 10000000000 characters"],
  ["the method replace", "{{ y.replace('', y) }}", "makes a string of 10000200000 characters"],
  ["a split into too many parts", "{{ z.split('a') }}", "makes a list of 2000001 items"],
  ["a loop over too many characters", "{% for c in z %}{% endfor %}", "makes a list of 2000000 items"],
  ["output without end", "{% for i in range(99999) %}{{ y }}{% endfor %}", "makes a"],
  ["a macro that calls itself", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nests or recurses too deep"],
  ["brackets within each other", `{{ ${"(".repeat(100_000)}1${")".repeat(100_000)} }}`, "nests or recurses too deep"],
  ["lists within each other", `{{ ${"[".repeat(100_000)}${"]".repeat(100_000)} }}`, "nests or recurses too deep"],
  ["a sum of too many parts", `{{ 1${" + 1".repeat(5_000)} }}`, "nests or recurses too deep"],
  ["a template of more than a million characters", "a".repeat(2 ** 20 + 1), "it has 1048577 characters; the limit is 1048576"],
  ["a range beyond all", "{{ range(10 ** 12) | list }}", "Range too big"],
  ["a power beyond all", "{{ 10 ** (10 ** 10) % 7 }}", "makes an integer of"],
  ["powers of powers", "{{ (2 ** 100000 ** 3) % 7 }}", "makes an integer of"],
  ["an integer that squares", doubled("3", "ns.x * ns.x", "{{ ns.x % 7 }}"), "makes an integer of"],
  ["a text repeated", "{{ 'ab' * 10 ** 9 }}", "makes a string of 2000000000 characters"],
  ["a list repeated", "{{ ([1, 2] * 10 ** 9) | length }}", "makes a list of 2000000000 items"],
  ["a wide format", "{{ '%1000000000d' % 1 }}", "makes a string of"],
  ["a precise format", "{{ '%.1000000000f' % 1 }}", "makes a string of"],
  ["a wide format of format()", "{{ '{:>1000000000}'.format(1) }}", "makes a string of"],
  ["a precise format of format()", "{{ '{:.100000000f}'.format(1.5) }}", "makes a string of"],
  ["a wide center", "{{ 'a' | center(10 ** 9) }}", "makes a string of"],
  ["a wide ljust", "{{ 'a'.ljust(10 ** 9) }}", "makes a string of"],
  ["a wide zfill", "{{ '1'.zfill(10 ** 9) }}", "makes a string of"],
  ["wide tabs", "{{ '\\t'.expandtabs(10 ** 9) }}", "makes a string of"],
  ["a batch filled up", "{{ [1] | batch(10 ** 9, 0) | list }}", "makes a list of"],
  ["too many slices", "{{ [1] | slice(10 ** 9) | list }}", "makes a list of"],
  [
    "a sort of a text that is long",
    "{% for i in range(99999) %}{% set q = z | sort %}{% endfor %}",
    "makes a list of 2000000 items",
  ],
  [
    "sorting again and again",
    "{% for i in range(99999) %}{% set q = range(20000) | sort(reverse=true) | sort %}{% endfor %}",
    "did not end within 1 s",
  ],
  ["urlize of an address without end", "{{ (y ~ '@' ~ y ~ '.' ~ y) | urlize }}", "urlize is not supported"],
  [
    "a search that repeats",
    "{% for i in range(99999) %}{% if 'ab' in y %}{% endif %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "did not end within 1 s",
  ],
  [
    "a membership test that repeats",
    "{% set l = range(99999) | list %}{% for i in l %}{% if -1 in l %}{% endif %}{% endfor %}",
    "did not end within 1 s",
  ],
])("stops %s", (_, template, message) => {
  // Cases that exceed a size limit must not run into the time limit on a busy machine.
  const by = message.startsWith("did not end") ? renderer : patient;
  const stopped = thrown(() => render(template, { y: "a".repeat(100_000), z: "a".repeat(2_000_000) }, by));
  expect(stopped).toBeInstanceOf(ChatTemplateError);
  expect((stopped as Error).message).toContain(message);
});

test("reports a template that ends too early", () => {
  expect(() => render("{% if true %}")).toThrow(
    "does not parse: line 1: Unexpected end of template. Jinja was looking for the following tags: 'elif' or 'else' or 'endif'.",
  );
});

test("limits how deeply the caller's values are nested", () => {
  let x: unknown = 1;
  for (let i = 0; i < 50_000; i++) x = [x];
  expect(() => render("{{ x }}", { x })).toThrow(ChatTemplateError);
});

test("lets ordinary templates print a lot", () => {
  const content = "word ".repeat(200_000); // a million characters
  const messages = Array.from({ length: 8 }, () => ({ role: "user", content }));
  const template = "{% for m in messages %}{{ m.role + ': ' + m.content | trim }}\n{% endfor %}";
  expect(patient.render(template, { messages, tools: null })).toHaveLength(8 * ("user: \n".length + content.length - 1));
});

test("the first item of an empty list is undefined", () => {
  expect(render("{{ [] | first }}{{ ([] | last) is defined }}")).toBe("False");
});

test("names the file of the template, and the row", async () => {
  const template = doubled("[1]", "ns.x + ns.x", "");
  const [inConfig, inFile] = [
    tinyFolder({ "tokenizer_config.json": { ...tokenizerConfig, chat_template: template } }),
    tinyFolder({ "chat_template.jinja": template }),
  ];
  const messages = [{ role: "user", content: "a" }];
  const first = await loadTokenizer(inConfig);
  expect(() => first.applyChatTemplate(messages)).toThrow(`'chat_template' in ${join(inConfig, "tokenizer_config.json")}`);
  const second = await loadTokenizer(inFile);
  expect(() => second.applyChatTemplate(messages)).toThrow(
    `(${join(inFile, "chat_template.jinja")}) could not be rendered: it makes a list of`,
  );
  const rows = [{ index: 7, prompt: messages, chosen: messages, rejected: [{ role: "user", content: "b" }] }];
  const tokenizing = tokenizeRows(rows, second, { cacheDir: null });
  await expect(tokenizing).rejects.toThrow(/^Row 7: The chat template .* it makes a list of 1048576 items/);
  await expect(tokenizing).rejects.toBeInstanceOf(InputError);
});
