/** The arguments of `smaug train`: `[config.yaml] [--key value ...]`. */
import { InputError } from "../../base/errors";
import { snakeCase } from "../../base/names";
import { conflict, type Problem } from "../../base/problems";
import { runArguments } from "./arguments";

export interface SplitArguments {
  readonly file: string | undefined;
  /** Options by key, in snake case; true for an option without a value. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly problems: readonly Problem[];
}

const lists = new Set([
  "report_to",
  ...Object.entries(runArguments).flatMap(([name, { isList }]) => (isList ? [snakeCase(name)] : [])),
]);
const isFile = (arg: string): boolean => /\.(ya?ml|json)$/i.test(arg);

/**
 * `--learning_rate 1e-5`, `--learning-rate=1e-5`, `--use_peft`, and one file, which `--config` may also name. A list
 * option takes all values up to the next option or the file: `--lora_target_modules q_proj v_proj`.
 *
 * @throws InputError for more than one file, or --config without a file
 */
export function splitArguments(args: readonly string[]): SplitArguments {
  const files: string[] = [];
  const options = Object.create(null) as Record<string, unknown>; // a key may be `__proto__`
  const problems: Problem[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (!arg.startsWith("--")) {
      files.push(arg);
      continue;
    }
    const [name, ...rest] = arg.slice(2).split("=");
    const key = name!.replaceAll("-", "_");
    const values = rest.length > 0 ? [rest.join("=")] : [];
    const takesMore = (next: string | undefined): next is string =>
      next !== undefined &&
      !next.startsWith("--") &&
      (values.length === 0 || (rest.length === 0 && lists.has(key) && !isFile(next)));
    while (takesMore(args[i + 1])) values.push(args[++i]!);
    if (key === "config" && values.length === 0) throw new InputError("Expected a file after --config but received none");
    else if (key === "config") files.push(...values);
    else if (Object.hasOwn(options, key)) problems.push(conflict(key, `--${name} once`, "it twice"));
    else options[key] = values.length === 0 ? true : values.join(" ");
  }
  if (files.length > 1) throw new InputError(`Expected one configuration file but received ${files.join(" and ")}`);
  return { file: files[0], options, problems };
}
