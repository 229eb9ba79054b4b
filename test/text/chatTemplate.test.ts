import { expect, test } from "vitest";
import { ChatTemplateError } from "../../src/text";
import { ChatRenderer } from "../../src/text/chatTemplate";

const renderer = new ChatRenderer({}, { timeLimit: 200 });
const render = (template: string, variables = {}) => renderer.render(template, { messages: [], tools: null, ...variables });

test("gives the message of raise_exception", () => {
  const template = "{{ raise_exception('Only user and assistant roles are supported!') }}";
  expect(() => render(template)).toThrow(ChatTemplateError);
  expect(() => render(template)).toThrow("refuses the conversation: Only user and assistant roles are supported!");
});

test("names the file of the template that refuses a conversation", async () => {
  const template = "{{ raise_exception('no') }}";
  const placed = new ChatRenderer({ default: template }, { places: { default: "m/chat_template.jinja" } });
  expect(() => placed.render(undefined, { messages: [], tools: null })).toThrow(
    "The chat template (m/chat_template.jinja) refuses the conversation: no",
  );
});

test.each([
  ["nested loops", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"],
  [
    "a macro that calls itself twice",
    "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
  ],
])("stops %s", (_, template) => {
  expect(() => render(template)).toThrow("did not end within 0.2 s and was stopped");
});

test.each([
  [
    "a range beyond the sandbox's",
    "{{ range(1000000000) | length }}",
    "line 1: Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).",
  ],
  ["recursion without end", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "could not be rendered: "],
  ["a function that is not there", "{{ nothing(1) }}", "could not be rendered: line 1: 'nothing' is undefined"],
  ["a filter that is not there", "{{ 'a' | nothing }}", "it cannot be used: line 1: No filter named 'nothing'."],
  ["a text added to a number", "{{ 'a' + 1 }}", 'could not be rendered: line 1: can only concatenate str (not "int") to str'],
])("says so on %s", (_, template, message) => {
  expect(() => render(template)).toThrow(ChatTemplateError);
  expect(() => render(template)).toThrow(message);
});

test("says when a template does not parse", () => {
  expect(() => render("{% if %}")).toThrow("Expected a Jinja template but it does not parse: ");
});

test("takes only the given characters off, as Python does", () => {
  expect(render("{{ x.lstrip('\\n') }}", { x: "\n  y\n" })).toBe("  y\n");
  expect(render("{{ x.rstrip('!?') }}", { x: "y?!? !" })).toBe("y?!? ");
  expect(render("{{ x | trim }}", { x: "\u001c\ufeff y \u0085" })).toBe("\ufeff y");
});

test("writes dates as C does", () => {
  const [year, month] = render("{{ strftime_now('%Y|%B') }}").split("|");
  const now = new Date();
  expect(year).toBe(String(now.getFullYear()));
  expect(month).toBe(now.toLocaleString("en-US", { month: "long" }));
  expect(() => render("{{ strftime_now('%Q') }}")).toThrow("line 1: strftime_now('%Q') is not supported");
});

test("gives what is not asked for no meaning of JavaScript", () => {
  expect(render("{{ x.constructor }}{{ x.__proto__ }}", { x: {} })).toBe("");
});
