/** The functions available to every template. */
import { JinjaError, typeError, unsupported, valueError } from "./errors";
import { limits } from "./limits";
import { entriesOf, fromKeys } from "./methods";
import { small } from "./numbers";
import { str } from "./print";
import { Cycler, Joiner, Namespace } from "./runtime";
import { noKeywords, signature } from "./signature";
import { strftime } from "./strftime";
import { Builtin, Dict, Instance, index, type Keywords, Range, textOf, typeName, type Value } from "./values";

/** Maximum length of a range in Jinja2's sandbox. */
const MOST_RANGE = 100_000;

/** Thrown by `raise_exception`: the template rejects its input. */
export class TemplateRefusal extends JinjaError {
  constructor(message: string) {
    super("TemplateError", message);
  }
}

function range(isSandboxed: boolean): Builtin {
  return new Builtin("range", (args, keywords) => {
    noKeywords(isSandboxed ? "safe_range" : "range", keywords);
    if (args.length === 0 || args.length > 3)
      throw typeError(`range expected at ${args.length === 0 ? "least 1 argument" : "most 3 arguments"}, got ${args.length}`);
    const numbers = args.map((each) => index(each));
    if (numbers[2] === 0) throw valueError("range() arg 3 must not be zero");
    const [start, stop, step = 1] = numbers.length === 1 ? [0, numbers[0]!] : numbers;
    const result = new Range(Number(start), Number(stop), Number(step));
    if (isSandboxed && result.length > MOST_RANGE)
      throw new JinjaError("OverflowError", `Range too big. The sandbox blocks ranges larger than MAX_RANGE (${MOST_RANGE}).`);
    for (const each of numbers) small(each);
    if (![start, stop, step].every((each) => Number.isSafeInteger(Number(each))))
      throw unsupported("a range of numbers beyond 2**53");
    return result;
  });
}

/** `dict`, which can be called and has `fromkeys`. */
class DictType extends Instance {
  readonly typeName = "TemplateDict";
  readonly module = "transformers.utils.chat_template_utils";

  override attribute(name: string): Value | undefined {
    if (name !== "fromkeys") return undefined;
    const bound = signature("fromkeys", "iterable value= /");
    return new Builtin("fromkeys", (args, keywords) => {
      const [keys, value = null] = bound.bind(args, keywords);
      return fromKeys(keys!, value);
    });
  }

  override call(args: Value[], keywords: Keywords | undefined): Value {
    const dict = new Dict();
    for (const [key, value] of entriesOf("dict", args, keywords)) {
      limits.step();
      dict.set(key, value);
    }
    return dict;
  }
}

const lipsum = new Builtin("lipsum", () => {
  throw unsupported("'lipsum', whose text is random,");
});

const cycler = new Builtin(
  "cycler",
  (args, keywords) => {
    noKeywords("Cycler.__init__", keywords);
    return new Cycler(args);
  },
  "type",
);

const joiner = new Builtin(
  "joiner",
  (args, keywords) => {
    const [separator = ", "] = signature("Joiner.__init__", "sep=").bind(args, keywords);
    return new Joiner(separator);
  },
  "type",
);

/** Jinja2's own, in a sandbox or not. */
export function globalsOf(isSandboxed: boolean): Map<string, Value> {
  return new Map<string, Value>([
    ["range", range(isSandboxed)],
    ["dict", new DictType()],
    ["lipsum", lipsum],
    ["cycler", cycler],
    ["joiner", joiner],
    ["namespace", new Builtin("namespace", (args, keywords) => new Namespace(args, keywords, isSandboxed), "type")],
  ]);
}

/** Those that transformers adds for chat templates. */
export const CHAT_GLOBALS: ReadonlyMap<string, Value> = new Map([
  [
    "raise_exception",
    new Builtin("raise_exception", (args, keywords) => {
      const [message] = signature("raise_exception", "message").bind(args, keywords);
      throw new TemplateRefusal(textOf(message!) ?? str(message!));
    }),
  ],
  [
    "strftime_now",
    new Builtin("strftime_now", (args, keywords) => {
      const [format] = signature("strftime_now", "format").bind(args, keywords);
      const text = textOf(format!);
      if (text === undefined) throw typeError(`strftime() argument 1 must be str, not ${typeName(format!)}`);
      return strftime(new Date(), text);
    }),
  ],
]);
