/**
 * How commands declare options. A value is checked by an argument of base/arguments.ts, as the keys of `smaug train` are,
 * so that a number, a choice or a flag is read and refused in the same words everywhere. And the options that several
 * commands share.
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import { type Argument, flag } from "../base/arguments";
import type { DType } from "../torch";
import { argumentsOf, pasteable, withOption } from "./commandLine";

/**
 * An option with a value.
 *
 * ```ts
 * new Command("generate").addOption(option("--max-new-tokens <n>", integer(256, "the most tokens of an answer", { min: 1 })))
 * ```
 *
 * @param argument what the value may be, its default and its help; an `optional` one has no default
 */
export function option<T>(flags: string, argument: Argument<T>): Option {
  const { fallback, help } = argument;
  const made = new Option(flags, help).argParser((text: string) => valueOf(text, argument));
  return fallback === null ? made : made.default(fallback);
}

function valueOf<T>(text: string, { expected, read, wayOut }: Argument<T>): NonNullable<T> {
  const value = read(text) ?? undefined; // an option without a value is left out, not null
  if (value !== undefined) return value;
  const way = wayOut?.(text);
  throw new InvalidArgumentError(`Expected ${expected}${way === undefined ? "" : `; ${way}`}.`);
}

/** What commands that load a model have. */
export interface ModelFlags {
  readonly model: string;
  readonly adapter?: string;
  readonly device: string;
  readonly dtype?: DType | "auto";
}

export const modelOption = (
  help = "the model, a folder or hub id; an adapter loads its base model with the adapter on it",
): Option => new Option("--model <folder>", help);

export const adapterOption = (help = "an adapter of the model, as PEFT or smaug saved it"): Option =>
  new Option("--adapter <folder>", help);

export const deviceOption = (help = "cpu, cuda, cuda:1"): Option => new Option("--device <name>", help).default("cpu");

/** The dtypes that weights may have. */
export const WEIGHT_DTYPES = ["float32", "bfloat16", "float16", "float64"] as const;

export const dtypeOption = (): Option =>
  new Option("--dtype <name>", "of the weights; float32 on the CPU and auto elsewhere when left out").choices([
    "auto",
    ...WEIGHT_DTYPES,
  ]);

const OVERWRITE = "overwrite_output_dir";

/** Adds `--overwrite-output-dir`, of the commands that write a folder. `train` has it as a key. Its value may be left out. */
export function addOverwriteOption(command: Command, help: string): Command {
  const parse = (text: string) => valueOf(text, flag(true, help));
  return command
    .addOption(new Option("--overwrite-output-dir [value]", help).argParser(parse))
    .addOption(new Option(`--${OVERWRITE} [value]`).argParser(parse).hideHelp());
}

export function isOverwriting(command: Command): boolean {
  const options = command.opts<{ overwriteOutputDir?: boolean; overwrite_output_dir?: boolean }>();
  return (options.overwriteOutputDir ?? options.overwrite_output_dir) === true;
}

/** The command that was given, with the option, ready to paste. */
export function overwritingCommand(command: Command): string {
  return pasteable(withOption(argumentsOf(command), OVERWRITE, "true"));
}
