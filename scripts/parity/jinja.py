"""Fixtures for the template engine: templates with the text or the error that Jinja2 3.1.6 produces.

`chat` cases run in the environment of transformers, `task` cases in that of lm-evaluation-harness. Every filter, test,
method and operator is applied to values of every type; statements are combined with white space control and scopes. A case is
[template, text], or [template, null, exception].

Run: python scripts/parity/jinja.py (needs jinja2 3.1.6 and transformers)
"""

import itertools
import json
import random
import re
import warnings

import jinja2
import transformers
from jinja2 import BaseLoader, Environment, StrictUndefined
from transformers.utils.chat_template_utils import _cached_compile_jinja_template

from common import FIXTURES

warnings.simplefilter("ignore")
FOLDER = FIXTURES / "jinja"
CHAT = _cached_compile_jinja_template("").environment
TASK = Environment(loader=BaseLoader, undefined=StrictUndefined, keep_trailing_newline=True)
TASK.filters["regex_replace"] = lambda string, pattern, repl, count=0: re.sub(pattern, repl, string, count=count)

# test/parity/jinja.test.ts reads the same file, and gives what JSON.parse would lose as floats and large integers.
CONTEXT = json.loads((FOLDER / "context.json").read_text())

VALUES = [
    "s", "e", "u", "sp", "ml", "n", "m", "z", "f", "g", "h", "big", "yes", "nil", "l", "ls", "mix", "d", "ld", "messages",
    "undefd", "(1, 'a')", "()", "range(4)", "'<a>'|safe", "d.items()", "{1: 'x', none: 2}", "'%s-%d'", "'12'",
]

# What iterates over a generator, whose text has an address in memory.
LAZY = ["(l|map('string'))", "(ld|selectattr('v'))", "(messages|map(attribute='role'))", "(ls|reverse)", "(l|batch(2))", "(d|items)"]
LAZY_FILTERS = ["first", "last", "list", "length", "join('-')", "sort", "max", "min", "unique|list", "map('string')|list", "select|list", "sum", "tojson", "reverse|list"]

FILTERS = {
    "abs": [""], "attr": ["('upper')", "('a')"], "batch": ["(2)|list", "(3, 'x')|list"], "capitalize": [""], "center": ["", "(9)"],
    "count": [""], "default": ["", "('q')", "('q', true)", "(default_value=1, boolean=true)"], "d": ["(none)"],
    "dictsort": ["", "(true)", "(by='value')", "(reverse=true)", "(by='x')"], "e": [""], "escape": [""], "filesizeformat": ["", "(true)"],
    "first": [""], "float": ["", "(1.5)"], "forceescape": [""], "format": ["", "(1, 2)", "('a', 3)"],
    "groupby": ["('n')", "('role')", "('v', default=0)"], "indent": ["", "(2, true)", "('> ', blank=true)"],
    "int": ["", "(7)", "(0, 16)", "(default=9)"], "items": ["|list"], "join": ["", "(', ')", "('-', attribute='n')"], "last": [""],
    "length": [""], "list": [""], "lower": [""],
    "map": ["('upper')|list", "(attribute='n')|list", "(attribute='n', default='D')|list", "('length')|list", "()|list", "('nope')|list"],
    "max": ["", "(attribute='v')"], "min": ["", "(case_sensitive=true)"], "pprint": [""], "reject": ["|list", "('none')|list"],
    "rejectattr": ["('v')|list", "('role', 'equalto', 'user')|list"], "replace": ["('a', 'b')", "('l', 'LL', 1)", "('', '-')"],
    "reverse": ["|list"], "round": ["", "(1)", "(0, 'ceil')", "(1, 'floor')", "(-1)"], "safe": [""],
    "select": ["|list", "('string')|list", "('gt', 1)|list"], "selectattr": ["('v')|list", "('role', 'in', ['user', 'tool'])|list", "()|list"],
    "slice": ["(2)|list", "(3, 0)|list"], "sort": ["", "(true)", "(case_sensitive=true)", "(attribute='v,n')"], "string": [""],
    "striptags": [""], "sum": ["", "(attribute='v')", "(start=10)"], "title": [""],
    "tojson": ["", "(indent=2)", "(ensure_ascii=true)", "(sort_keys=true)", "(separators=(',', ':'))", "(indent='--')"],
    "trim": ["", "('a')"], "truncate": ["(5)", "(5, true)", "(4, false, '..', 0)"], "unique": ["|list", "(true)|list"], "upper": [""],
    "urlencode": [""], "urlize": ["", "(5, true, target='_blank')"], "wordcount": [""], "wordwrap": ["(5)", "(7, false, '|')"],
    "xmlattr": ["", "(false)"], "nope": [""],
}

TESTS = [
    "odd", "even", "divisibleby 2", "divisibleby(3)", "defined", "undefined", "filter", "test", "none", "boolean", "false", "true",
    "integer", "float", "lower", "upper", "string", "mapping", "number", "sequence", "iterable", "callable", "sameas none", "escaped",
    "in [7, 'a']", "eq 7", "== 'Hello World'", "ne 7", "lt 2", "gt(1)", "ge 1", "le 2", "equalto 'a'", "nope",
]

TEXT_METHODS = [
    "upper()", "lower()", "strip()", "strip('Hd')", "lstrip('H')", "rstrip()", "split()", "split(',')", "split('o', 1)", "split(maxsplit=1)",
    "rsplit('o', 1)", "rsplit()", "splitlines()", "splitlines(true)", "join(['a', 'b'])", "join([1])", "replace('o', '0')", "replace('o', '', 1)",
    "replace('', '-')", "find('o')", "rfind('o')", "find('o', 5)", "index('q')", "count('o')", "startswith('H')", "endswith(('d', 'x'))",
    "title()", "capitalize()", "swapcase()", "casefold()", "center(15, '*')", "ljust(8, '.')", "rjust(14)", "zfill(14)", "partition(' ')",
    "rpartition('o')", "removeprefix('He')", "removesuffix('ld')", "isdigit()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()",
    "istitle()", "isnumeric()", "isdecimal()", "isidentifier()", "isprintable()", "isascii()", "expandtabs(4)", "format(1)", "translate({72: 'J'})",
    "foo()", "upper(1)", "split(sep=none)",
]
TEXTS = ["s", "e", "u", "sp", "ml", "'<a>'|safe", "'-12'", "'don\\'t stop'", "'ﬁne ǆ Σς'"]

OTHER_METHODS = {
    "d": ["items()|list", "keys()|list", "values()|list", "get('b')", "get('q')", "get('q', 3)", "copy()", "update({})", "pop('b')", "items", "b", "q"],
    "l": ["index(1)", "index(9)", "count(1)", "append(1)", "sort()", "copy()", "pop()", "append", "x", "0"],
    "(1, 2)": ["index(2)", "count(1)", "0", "2"], "n": ["bit_length()", "real", "imag", "numerator", "x"], "f": ["is_integer()", "as_integer_ratio()", "real"],
    "range(5)": ["start", "stop", "index(3)", "count(9)"], "nil": ["x", "upper()"], "undefd": ["x", "upper()"], "messages[0]": ["role", "nope", "get('role')"],
}

FORMATS = [
    *(f"%{flags}{width}{precision}{kind}" for flags, width, precision, kind in itertools.product(["", "-", "0", "+", "#"], ["", "9"], ["", ".2"], "dfsxeg")),
    "%%", "%c", "%r", "%(a)s", "%z", "%", "%s %s",
]
SPECS = [
    *(f"{align}{sign}{width}{comma}{precision}{kind}" for align, sign, width, comma, precision, kind in itertools.product(
        ["", "^", "*>"], ["", "+"], ["", "12", "012"], ["", ","], ["", ".2"], ["", "d", "f", "%", "s"])),
    "x", "#x", "b", "o", "c", "e", "g", "n", "=10", "_", "q", ".", "z",
]
FIELDS = ["{}", "{0}{0}", "{} {}", "{a}", "{0.real}", "{0[0]}", "{!r}", "{!s:>5}", "{0:{0}}", "{{}}", "{", "}", "{!x}", "{1}"]

OPERATORS = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", " in ", " not in ", " and ", " or "]
OPERANDS = ["n", "m", "z", "f", "h", "big", "yes", "nil", "s", "'a'", "l", "(1, 2)", "d", "undefd", "'<a>'|safe", "range(3)"]
POWERS = ["2", "3", "10", "-2", "0", "2.5", "0.1", "-1", "63", "-3", "yes"]

NUMBERS = [
    "0", "007" , "1_000", "0x1F", "0b101", "0o17", "1.5", "2.50", "1e3", "1E-7", "1.0e16", "1e15", "123456789012345678", "123456789012345678901234567890",
    "0.1 + 0.2", "1/3", "2/2", "7//2", "-7//2", "-7 % 3", "7 % -3", "7.5 // 2", "-7.5 % 2", "2**10", "2**0.5", "2**-1", "10**20", "1e22", "1e16 + 1", "-0.0", "1_0.5",
    "0.1*3", "1e-5", "0.0001", "100000.0**4", "5e-324", "1.7976931348623157e308", "12345678901234567890 // 7", "12345678901234567890 / 7", "(1 << 2)", "1.", ".5", "1__0", "0777", "1e400|int",
]

LITERALS = [
    "'a\\nb'", "'\\x41\\u00e9'", "'\\U0001F600'", "'\\101'", "'\\q'", "'\\\\'", "'\\''", "\"'\"", "'é'", "'\\é'", "'a' 'b' \"c\"", "'\\x4'", "[1, 'a', none, true, 1.5, (1,), {}]",
    "[\"it's\", 'say \"hi\"', 'both \\' \"']", "{'a': 1, 1: 'b', none: 2, true: 3, (1, 2): 4}", "{1: 'a', 1.0: 'b', true: 'c'}", "{[]: 1}", "(1)", "(1,)", "()", "[1,]", "{'a': 1,}",
    "true", "True", "none", "None", "['\\t\\x00\\x7f\\xa0\\u200b😀']", "'a' if nil", "'a' if yes else 'b' if no else 'c'", "not nil and not yes", "1 < 2 < 3", "1 < 3 < 2", "1 == 1.0 == true",
    "s[0]", "s[-1]", "s[99]", "s[1:3]", "s[::-1]", "s[10:2:-2]", "u[0]", "u[1]", "u[::-1]", "l[1:]", "l[-2:]", "(1, 2, 3)[::2]", "range(10)[2:8:3]", "l['a']", "d['a']['x']", "d.a.0", "d[undefd]",
    "nil[0]", "n[0]", "n[0:1]", "l[true]", "l[1.0]", "{1: 'a'}[true]", "messages[0]['content'].upper()[:3]", "messages|last|length", "messages[-1].content[0].type", "nest.x.y[2].z", "s is string and s",
    "-s", "+yes", "-yes", "- -3", "not not 3", "2 ** 3 ** 2", "-2 ** 2", "1 - 1 - 1", "2 * 3 ~ 4 + 5", "'a' ~ 1 ~ none", "1 in [1] == true", "x|default('y') ~ 'z'", "loop", "self", "caller",
    "dict(a=1, b=2)", "dict([('a', 1)])", "dict({'a': 1}, b=2)", "dict(1)", "dict.fromkeys([1, 2], 'x')", "namespace(a=1)", "namespace(a=1).a", "namespace(_a=1)", "range(3)", "range(1, 10, 3)|list", "range(0)|list", "range(5, 0, -2)|list",
    "range(1, 2, 0)", "range()", "range('a')", "range(100001)", "range(100000)|length", "cycler('a', 'b').next()", "cycler().next", "joiner('-')()", "lipsum is callable", "raise_exception('no')", "strftime_now('%%')",
    "''.join(['a', 'b'])", "', '.join(l|map('string'))", "messages|map(attribute='role')|join(',')", "messages|selectattr('role', 'equalto', 'user')|map(attribute='content')|list|length",
    "messages|rejectattr('role', 'in', ['user'])|list|length", "messages|groupby('role')|map('first')|list", "ld|sort(attribute='n')|map(attribute='v', default='-')|join(' ')", "s.__class__", "s.__class__.__mro__", "d.__proto__", "d.constructor", "l.constructor",
    "s|upper|lower|title", "s|upper() == 'HELLO WORLD'", "(s|upper)|length", "s is not string", "s is defined is true", "undefd.x", "undefd.x.y", "undefd['x']", "undefd()", "d.q.r", "nothing + 1", "undefd == undefd2", "undefd in [1]", "[undefd]", "undefd|list", "undefd|int",
    "[3, 'a']|sort", "[none, 1]|max", "[]|max", "[]|min is defined", "[]|first", "''|first", "d|first", "d|last", "{}|last", "5|list", "nil|length", "[[2, 1], [1, 2]]|sort", "[true, 1, 1.0, 2]|unique|list", "['A', 'a', 'B']|unique|list", "[{'a': 1}]|unique|list",
]

STATEMENTS = """
{% set x = 1 %}{% for i in l %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}
{% set ns = namespace(x=1) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}
{% for i in l %}{% if loop.first %}{% set y = i %}{% endif %}[{{ y }}]{% endfor %}{{ y }}
{% if yes %}{% set y = 1 %}{% else %}{% set z = 2 %}{% endif %}{{ y }}{{ z }}
{% for m in messages %}{{ m.role }};{% if loop.index == 2 %}{% break %}{% endif %}-{% endfor %}
{% for m in messages %}{{ m.role }};{% if loop.index == 2 %}{% continue %}{% endif %}-{% endfor %}
{% for i in l %}{{ i }}{% break %}{% else %}none{% endfor %}
{% for i in l %}{{ i }}{% continue %}{% else %}none{% endfor %}
{% for i in [] %}{{ i }}{% else %}none{% endfor %}
{% for i in undefd %}{{ i }}{% else %}none{% endfor %}
{% for i in nil %}{{ i }}{% endfor %}
{% for i in 5 %}{{ i }}{% endfor %}
{% for c in u %}[{{ c }}]{% endfor %}
{% for k in d %}{{ k }}{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}
{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}
{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}
{% for a, b in [[1, 2], (3, 4), 'xy'] %}{{ a }}{{ b }};{% endfor %}
{% for a, b in [1] %}{{ a }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}
{% for a, b in [(1,)] %}{{ a }}{% endfor %}
{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}
{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }};{% endfor %}
{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }};{% endfor %}
{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }};{% endfor %}
{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}
{% for x in l %}{{ loop.cycle() }}{% endfor %}
{% for x in l %}{{ loop }}{% endfor %}
{% for x in l %}{{ loop.nope }}|{{ loop.nope is defined }}{% endfor %}
{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }} {% endfor %}
{% for a, b in [[1, 2], [3, 4]] if a > 1 %}{{ a }}{{ loop.previtem }}{% else %}-{% endfor %}
{% for x in l if x > 9 %}{{ x }}{% else %}none{% endfor %}
{% for x in l if loop is defined %}{{ x }}{% endfor %}
{% for x in l %}{% for y in l %}{{ loop.index }}{{ x }}{% endfor %}{{ loop.index }};{% endfor %}
{% for x in l %}{% set outer = loop %}{% for y in 'ab' %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}
{% for x in [[1, [2, [3]]], 4] recursive %}{{ loop.depth }}:{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %};{% endfor %}
{% for x in l recursive %}{{ x }}{% else %}-{% endfor %}
{% for x in l %}{{ loop(l) }}{% endfor %}
{% for loop in l %}{{ loop }}{% endfor %}
{% for x in range(3) %}{% for x in range(2) %}{{ x }}{% endfor %}{{ x }};{% endfor %}
{% for x in messages|selectattr('role', 'equalto', 'user') %}{{ loop.length }}{{ loop.last }}{% endfor %}
{% set it = l|map('string') %}{{ it|join }}-{{ it|join }}
{% if l|select('gt', 100) %}true{% else %}false{% endif %}
{% break %}
{% for x in l %}{% macro f() %}{% break %}{% endmacro %}{% endfor %}
{% for x in l %}{% filter upper %}a{{ x }}{% break %}{% endfilter %}{% endfor %}
{% for x in l %}{% set y %}a{% continue %}{% endset %}{{ y }}{% endfor %}
{% macro f(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }}|{{ f(1, 3) }}|{{ f(c=4, a=5) }}
{% macro f(a) %}[{{ a }}]{{ a is defined }}{% endmacro %}{{ f() }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1, 2) }}
{% macro f(a) %}{{ a }}{% endmacro %}{{ f(b=2) }}
{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, a=3) }}
{% macro f(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ f(1) }}
{% macro f(a=b, b=2) %}{{ a }}{{ b }}{% endmacro %}{{ f() }}
{% macro f(a) %}{{ caller(a) }}{% endmacro %}{% call(x) f(3) %}<{{ x }}>{% endcall %}
{% macro f() %}{{ caller() }}{% endmacro %}{{ f() }}
{% macro f() %}{{ caller is defined }}{% endmacro %}{{ f() }}{% call f() %}{% endcall %}
{% macro f() %}x{% endmacro %}{% call f() %}{% endcall %}
{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(4) }}
{% macro f() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}{% set x = 2 %}{{ f() }}
{% macro f() %}{% set x = 5 %}{{ x }}{% endmacro %}{% set x = 1 %}{{ f() }}{{ x }}
{% macro f(x) %}{{ x }}{% endmacro %}{{ f }}{{ f.name }}{{ f.arguments }}{{ f.catch_varargs }}
{% macro f(a=[]) %}{{ a|length }}{% endmacro %}{{ f([1]) }}{{ f() }}{{ f(a=none) }}
{% macro f(a) %}{% for x in a %}{{ x }}{% endfor %}{% endmacro %}{{ l|map('string')|list }}{{ f(l) }}{{ f(*[[1]]) }}{{ f(**{'a': 'xy'}) }}
{{ f() }}{% macro f() %}x{% endmacro %}
{% macro f(a, a) %}{{ a }}{% endmacro %}
{% macro f(a=1, b) %}{% endmacro %}
{% set x %}a{{ n }}b{% endset %}[{{ x }}]
{% set x | upper | replace('A', 'q') %}a{{ n }}b{% endset %}[{{ x }}]
{% set a, b = 1, 2 %}{{ a }}{{ b }}
{% set a, b = 'xy' %}{{ a }}{{ b }}
{% set a = 1, 2 %}{{ a }}
{% set a.b = 1 %}
{% set d.b = 9 %}{{ d }}
{% set ns = namespace() %}{% set ns.a = 1 %}{% set ns.b = ns.a + 1 %}{{ ns.b }}{{ ns.c }}{{ ns }}
{% set ns = namespace(d) %}{{ ns.b }}{{ ns['b'] }}{{ ns.c is defined }}
{% set ns = namespace(a=1) %}{% for x in l %}{% if x == 2 %}{% set ns.a = 'found' %}{% endif %}{% endfor %}{{ ns.a }}
{% set none = 1 %}
{% set 1 = 1 %}
{% with %}{% set x = 1 %}{{ x }}{% endwith %}{{ x }}
{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}{{ a }}
{% set a = 9 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}
{% filter upper %}a{{ s }}b{% endfilter %}
{% filter upper | replace('L', '1') %}{{ s }}{% endfilter %}
{% filter length %}abc{% endfilter %}
{% filter nope %}abc{% endfilter %}
{% if false %}{{ 1|nope }}{% endif %}ok
{% if true %}{{ 1|nope }}{% endif %}
{{ 1|nope if false else 2 }}
{{ 1 is nope }}
{% if n is nope %}{% endif %}
{% block a %}x{{ s }}{% endblock %}
{% set q = 3 %}{% block a %}{{ q }}{% set q = 4 %}{{ q }}{% endblock %}{{ q }}
{% for i in l %}{% block a scoped %}{{ i }}{% endblock %}{% endfor %}
{% for i in l %}{% block a %}{{ i }}{% endblock %}{% endfor %}
{% block a %}x{% endblock %}{{ self.a() }}
{% block a %}{% endblock %}{% block a %}{% endblock %}
{% block a required %}{% endblock %}
{% print 1, 'a' %}
{% print %}
{% raw %}{{ x }}{% if %}{% endraw %}
{%- raw -%} {{ x }} {%- endraw -%} y
{% raw %}
{# a #}b{#- c -#} d
{# {{ x }} {% if %} #}
{% generation %}a{{ s }}{% endgeneration %}
{% for m in messages %}{% generation %}{{ loop.index }}{% endgeneration %}{% endfor %}
{% if %}{% endif %}
{% if yes %}
{% endif %}
{% for %}{% endfor %}
{% for x l %}{% endfor %}
{% elif %}
{% nope %}
{% if yes %}{% endfor %}
{{ }}
{{ 1 2 }}
{{ (1 }}
{{ 1) }}
{{ [1 }}
{{ 'a }}
{{ a
{% if x
{{ a.1.b }}{{ a. }}
{{ x is }}
{{ x | }}
{{ f(a=1, 2) }}
{{ f(**a, *b) }}
{{ f(a=1, a=2) }}
{{ x if }}
{{ @ }}
{{ a ? b }}
{{ 1 is odd is even }}
{{ n is divisibleby(7) and n is odd }}
{{ n is not divisibleby 2 }}
{{ s is in ['Hello World'] }}{{ not s is in [] }}
{% set x = n if yes else m %}{{ x }}
{% set x = l + [4] %}{{ x }}{{ l }}
{% autoescape false %}{{ '<' }}{% endautoescape %}
{{ '<'|e }}{{ '<'|e|e }}{{ '<'|forceescape|e|forceescape }}{{ ('<'|safe) ~ '<' }}{{ ('<'|safe) + '<' }}{{ '<' + ('<'|safe) }}{{ ('%s'|safe) % '<' }}{{ ('{}'|safe).format('<') }}
{{ ('<'|safe)|upper|replace('<', '>') }}{{ ('a'|safe).join(['<', '>']) }}{{ ['<'|safe] }}{{ ('<b>'|safe)|length }}
{% for x in 'abc' %}{{ x }}{{ ',' if not loop.last }}{% endfor %}
{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.next() }}
{% set j = joiner() %}{{ j() }}a{{ j() }}b
{{ messages[0].tool_calls is defined }}{{ messages[2].tool_calls[0].function.arguments|tojson }}
{{ tools|tojson }}
{{ tools[0]|tojson(indent=4) }}
{% for t in tools %}{{ t.function.name }}: {% for k, v in t.function.parameters.properties.items() %}{{ k }}{{ v.type }}{% endfor %}{% endfor %}
{{ messages[0]|tojson }}{{ messages[0] }}
""".strip("\n").split("\n")

CHATS = [
    """{{ bos_token }}{% for message in messages %}
{% if message['role'] == 'user' %}
{{ '<|user|>\\n' + message['content'] | string | trim + eos_token }}
{% elif message['role'] == 'system' %}
{{ '<|system|>\\n' + message['content'] + eos_token }}
{% else %}
    {{ message.role }}
{% endif %}
{% if loop.last and add_generation_prompt %}
{{ '<|assistant|>' }}
{% endif %}
{% endfor %}""",
    """{%- if messages[0]['role'] == 'system' %}
    {%- set system = messages[0]['content'] %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set rest = messages %}
{%- endif %}
{%- for message in rest %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- 'odd ' }}
    {%- endif %}
    {%- if loop.last and system is defined %}
        {{- system ~ '\\n' }}
    {%- endif %}
    {{- message.role | upper }}: {{ message.content if message.content is string else message.content | map(attribute='type') | join('+') }}
{%- endfor %}
""",
    """{%- macro render(args) -%}
    {%- for key, value in args | dictsort -%}
        {{ key }}={% if value is mapping %}{ {{- render(value) -}} }{% elif value is string %}"{{ value }}"{% elif value is iterable %}[{{ value | join(', ') }}]{% else %}{{ value | tojson }}{% endif %}{{ ", " if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}
{%- set ns = namespace(last=-1, tools=0) -%}
{%- for message in messages -%}
    {%- if message.role == 'user' -%}{%- set ns.last = loop.index0 -%}{%- endif -%}
    {%- for call in message.tool_calls or [] -%}
        {%- set ns.tools = ns.tools + 1 -%}
        {{ call.function.name }}({{ render(call.function.arguments) }})
    {%- endfor -%}
{%- endfor %}
{{ ns.last }}/{{ ns.tools }}
""",
    """{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|' + message['role'] + '|>\\n\\n'+ message['content'] | string | trim + '<|end|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\\n\\n' }}{% endif %}""",
    """{%- for message in messages %}
{%- if message.role == 'tool' %}
{%- if loop.previtem and loop.previtem.role != 'tool' %}
<tools>
{%- endif %}
{{ message.content }}
{%- if not loop.last and loop.nextitem.role != 'tool' or loop.last %}
</tools>
{%- endif %}
{%- elif message.content is string and message.content %}
{{ message.content.split('</think>')[-1].lstrip('\\n') }}
{%- elif message.content %}
{%- for part in message.content %}{{ part.text if part.type == 'text' else '<image>' }}{% endfor %}
{%- endif %}
{%- endfor %}
""",
]


def spaces():
    """Blocks, comments and variables with every sign, among white space."""
    draw = random.Random(5)
    gaps = ["", " ", "  ", "\n", "\n\n", " \n", "\n ", " \n ", "\t", "x", " x", "x ", "x\n", "\r\n", "\n\n  "]
    tag = lambda name: "{%" + draw.choice(["", "", "-", "+"]) + f" {name} " + draw.choice(["", "", "-", "+"]) + "%}"
    for _ in range(250):
        gap = lambda: draw.choice(gaps)
        comment = "{#" + draw.choice(["", "-", "+"]) + "c" + draw.choice(["", "-", "+"]) + "#}"
        variable = "{{" + draw.choice(["", "-"]) + " 1 " + draw.choice(["", "-"]) + "}}"
        middle = draw.choice([comment, variable, tag("set q = 1"), tag("raw") + gap() + "{{" + gap() + tag("endraw")])
        yield gap() + tag("if 1") + gap() + middle + gap() + variable + gap() + tag("endif") + gap() + tag("for x in [1, 2]") + gap() + "y" + gap() + tag("endfor") + gap()


def templates():
    for name, all_args in FILTERS.items():
        for value, args in itertools.product(VALUES, all_args):
            yield f"{{{{ ({value})|{name}{args} }}}}"
    for value, name in itertools.product(LAZY, LAZY_FILTERS):
        yield f"{{{{ {value}|{name} }}}}{{{{ 'yes' if {value} }}}}"
    for value, test in itertools.product(VALUES, TESTS):
        yield f"{{{{ ({value}) is {test} }}}}"
    for text, method in itertools.product(TEXTS, TEXT_METHODS):
        yield f"{{{{ ({text}).{method} }}}}"
    for value, methods in OTHER_METHODS.items():
        for method in methods:
            yield f"{{{{ ({value}).{method} }}}}"
    for (left, right), operator in itertools.product(itertools.product(OPERANDS, OPERANDS), OPERATORS):
        yield f"{{{{ ({left}){operator}({right}) }}}}"
    for left, right in itertools.product(POWERS, POWERS):
        yield f"{{{{ ({left}) ** ({right}) }}}}"
    for text, value in itertools.product(FORMATS, ["n", "f", "big", "s", "(m, 'a')", "{'a': 1}"]):
        yield f"{{{{ '{text}' % {value} }}}}"
    for spec, value in itertools.product(SPECS, ["n", "f", "s", "big"]):
        yield f"{{{{ '{{:{spec}}}'.format({value}) }}}}"
    for field, value in itertools.product(FIELDS, ["n", "s", "l", "n, 5", "a=1"]):
        yield f"{{{{ '{field}'.format({value}) }}}}"
    for expression in [*NUMBERS, *LITERALS]:
        yield f"{{{{ {expression} }}}}"
    yield from STATEMENTS
    yield from CHATS
    yield from spaces()


def answer(template, environment):
    try:
        text = environment.from_string(template).render(**json.loads(json.dumps(CONTEXT)))
        text.encode()  # half a character cannot be
        return [template, text]
    except Exception as error:
        return [template, None, type(error).__name__]


# What the engine deliberately rejects: see "Unsupported" in src/jinja.
REFUSED = re.compile(r" at 0x[0-9a-f]+|^\(.*j\)$|^<class |^<bound method|^<(?:function|built-in|generator)")


def write(name, environment, keep):
    cases = [answer(template, environment) for template in dict.fromkeys(templates()) if keep(template)]
    cases = [case for case in cases if not (case[1] is not None and REFUSED.search(case[1]))]
    path = FOLDER / f"{name}.json"
    versions = {"jinja2": jinja2.__version__, "transformers": transformers.__version__}
    rows = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    path.write_text(f'{{"versions": {json.dumps(versions)}, "cases": [\n{rows}\n]}}\n')
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    write("chat", CHAT, lambda template: True)
    # The rest of the cases is the same there; what differs are undefined values, white space, tojson, and changing lists.
    write("task", TASK, lambda template: re.search(r"undef|nothing|nope|tojson|\n|\w\.(append|pop|update|sort)|%[-+ ]|_|range\(1|self", template) and "__" not in template)
