import { expect, test } from "vitest";
import { CHAT_ENVIRONMENT, JinjaError, PyFloat, strictEnvironment, Template } from "../../src/jinja";
import { strftime } from "../../src/jinja/strftime";

const render = (source: string, variables = {}) => new Template(source, CHAT_ENVIRONMENT).render(variables, 5).text;

/** The error, as `line: kind: message`. */
function fault(source: string, variables = {}): string {
  try {
    return render(source, variables);
  } catch (error) {
    if (error instanceof JinjaError) return `${error.line}: ${error.kind}: ${error.message}`;
    throw error;
  }
}

test.each([
  ["a\nb\n{{ x.y }}", "3: UndefinedError: 'x' is undefined"],
  ["{% for m in [{}] %}\n{{ m.a.b }}\n{% endfor %}", "2: UndefinedError: 'dict object' has no attribute 'a'"],
  ["{% macro f(a) %}\n{{ a + 1 }}\n{% endmacro %}\n\n{{ f('x') }}", '2: TypeError: can only concatenate str (not "int") to str'],
  ["{% macro f() %}\n\n{% endmacro %}\n{{ f() ~ nope.x }}", "4: UndefinedError: 'nope' is undefined"],
  ["\n{% if 1 %}\n{% set x = [1] | nope %}{% endif %}", "3: TemplateRuntimeError: No filter named 'nope' found."],
  ["\n{{ 1 | nope }}", "2: TemplateAssertionError: No filter named 'nope'."],
  ["\n\n{% nope %}", "3: TemplateSyntaxError: Encountered unknown tag 'nope'."],
  [
    "{% if a %}\n{% endfor %}",
    "2: TemplateSyntaxError: Encountered unknown tag 'endfor'. Jinja was looking for the following tags: 'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'.",
  ],
  ["{{ '\\\n' + 1 }}", '1: TypeError: can only concatenate str (not "int") to str'],
])("reports the error and its line: %j", (source, message) => {
  expect(fault(source)).toBe(message);
});

test.each([
  ["{% include 'a' %}", "'include' of another template is not supported"],
  ["\n{% from 'a' import b %}", "'from' of another template is not supported"],
  ["{% autoescape true %}{% endautoescape %}", "'autoescape' that is on is not supported"],
  ["{{ 'a'.encode() }}", "bytes ('encode') is not supported"],
  ["{{ (-8) ** 0.5 }}", "a complex number is not supported"],
  ["{{ [1] | map('string') }}", "printing a generator, which Python prints with an address in memory, is not supported"],
  ["{{ 'a'.upper }}", "printing a builtin_function_or_method, which Python prints with an address in memory, is not supported"],
  ["{{ '\\ud83d' }}", "half a character (\\ud83d) is not supported"],
  ["{{ lipsum() }}", "'lipsum', whose text is random, is not supported"],
])("rejects unsupported constructs by name: %j", (source, message) => {
  expect(fault(source)).toMatch(/^\d: Unsupported: /);
  expect(fault(source)).toContain(message);
});

test("distinguishes integers from floats", () => {
  const x = {
    a: new PyFloat(20),
    b: 20,
    c: 0.5,
    d: new PyFloat(1e-7),
    e: 12345678901234567890n,
    f: new PyFloat(NaN),
    g: new PyFloat(-Infinity),
    h: 2 ** 60,
  };
  expect(render("{{ x.a }} {{ x.b }} {{ x.c }} {{ x.d }} {{ x.e }} {{ x.h }}", { x })).toBe(
    "20.0 20 0.5 1e-07 12345678901234567890 1152921504606846976",
  );
  expect(render("{{ x | tojson }}", { x })).toBe(
    '{"a": 20.0, "b": 20, "c": 0.5, "d": 1e-07, "e": 12345678901234567890, "f": NaN, "g": -Infinity, "h": 1152921504606846976}',
  );
  expect(render("{{ x.a == x.b }} {{ x.e + 1 }} {{ x.a is float }} {{ x.b is integer }}", { x })).toBe(
    "True 12345678901234567891 True True",
  );
});

test("does not expose JavaScript's own properties", () => {
  expect(
    render("{{ x.constructor }}{{ x.__proto__ }}{{ x['toString'] }}{{ 'a'.length }}{{ [1].map is defined }}", { x: {} }),
  ).toBe("False");
  expect(() => render("{{ x }}", { x: () => 1 })).toThrow("a function is not a value for a template");
  // Without keys of their own, or with none but numbers: they would be other dicts.
  for (const x of [new Map([["a", 1]]), new Set([1]), new Uint8Array(2)])
    expect(() => render("{{ x }}", { x: { y: [x] } })).toThrow(`a ${x.constructor.name} is not a value for a template`);
});

test("reports where generated text is, in characters", () => {
  const source =
    "é😀{% generation %}ab{% endgeneration %}-{% for x in [1, 2] %}{% generation %}{{ x }}😀{% endgeneration %}.{% endfor %}";
  // é and 😀 are one character each: 2 before the first block.
  expect(new Template(source, CHAT_ENVIRONMENT).render({}, 5)).toEqual({
    text: "é😀ab-1😀.2😀.",
    generated: [
      [2, 4],
      [5, 7],
      [8, 10],
    ],
  });
});

test("a strict environment rejects undefined values and allows lists to be modified", () => {
  const strict = strictEnvironment(new Map());
  const text = (source: string, variables = {}) => new Template(source, strict).render(variables, 5).text;
  expect(text("{% set x = [1] %}{% set _ = x.append(2) %}{{ x }}\n")).toBe("[1, 2]\n");
  expect(text("{{ x is defined }}{{ x | default('y') }}")).toBe("Falsey");
  expect(() => text("{{ x }}")).toThrow("'x' is undefined");
  expect(() => text("{% if x %}{% endif %}")).toThrow("'x' is undefined");
  expect(fault("{% set x = [1] %}{{ x.append(2) }}")).toBe(
    "1: SecurityError: access to attribute 'append' of 'list' object is unsafe.",
  );
});

test("strftime writes what glibc writes in the C locale", () => {
  const date = new Date(2024, 1, 5, 0, 7, 9, 4); // a Monday
  expect(strftime(date, "%Y %y %m %d %j %H %I %M %S %f %p")).toBe("2024 24 02 05 036 00 12 07 09 004000 AM");
  expect(strftime(date, "%B %b %A %a %% %-d %-m %-H %e %_d %^a %#p %h")).toBe("February Feb Monday Mon % 5 2 0  5  5 MON am Feb");
  expect(strftime(date, "%F %T|%c|%x|%X|%D|%R|%r")).toBe(
    "2024-02-05 00:07:09|Mon Feb  5 00:07:09 2024|02/05/24|00:07:09|02/05/24|00:07|12:07:09 AM",
  );
  expect(strftime(date, "%U %W %V %G %g %u %w %C %k %l%n%t%z%Z")).toBe("05 06 06 2024 24 1 1 20  0 12\n\t");
  expect(strftime(new Date(2027, 0, 1), "%G-%V %U %W %j")).toBe("2026-53 00 00 001"); // a Friday
});

// Python: '%(a)s %(b)5.1f|%%' % {'a': None, 'b': 2} == 'None   2.0|%'
test("% takes None by its name", () => {
  expect(render("{{ '%(a)s %(b)5.1f|%%' % {'a': none, 'b': 2} }}")).toBe("None   2.0|%");
});
