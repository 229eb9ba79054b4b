/**
 * How commands declare options, the options that several commands share, and command lines to paste. A value is checked by
 * an argument of base/arguments.ts, as the keys of `smaug train` are, so that a number, a choice or a flag is read and
 * refused in the same words everywhere.
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import { type Argument, flag, parseRenaming, textThat } from "../base/arguments";
import { shellQuoted } from "../base/files/paths";
import { type ColumnMapping, expectColumnMapping } from "../data/reading/columnMapping";
import type { LoadPreferencesOptions } from "../data/rows/preferences";
import type { DType } from "../torch";
import { deviceForms, isDeviceString } from "../torch/device";
import { tell } from "./output";

/**
 * An option with a value.
 *
 * ```ts
 * new Command("head").addOption(option("--limit <n>", integer(100, "the most rows to read", { min: 1 })))
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

/** The flags of commands that load a model. */
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

/** The device of a run. Whether it is there is known only once libtorch is loaded. */
export const device = (help: string): Argument<string> => textThat(isDeviceString, deviceForms, help);

export const deviceOption = (help = "cpu, cuda, cuda:1"): Option =>
  option("--device <name>", { ...device(help), fallback: "cpu" });

/** The dtypes that weights may have. */
export const WEIGHT_DTYPES = ["float32", "bfloat16", "float16", "float64"] as const;

export const dtypeOption = (help = "of the weights; float32 on the CPU and auto elsewhere when left out"): Option =>
  new Option("--dtype <name>", help).choices(["auto", ...WEIGHT_DTYPES]);

/** Which preference rows a command reads, and how their columns are named. */
export interface RowFlags {
  split?: string;
  datasetConfig?: string;
  columnMapping?: ColumnMapping;
}

export const splitOption = (): Option => new Option("--split <name>", "split of a folder or data set to read");

export const DATASET_CONFIG = "which of the configs declared in the data set's card; its default config when left out";

export const datasetConfigOption = (): Option => new Option("--dataset-config <name>", DATASET_CONFIG);

export const columnMappingOption = (): Option =>
  new Option(
    "--column-mapping <names>",
    "renames columns, from the file's name to smaug's: question=prompt,good=chosen",
  ).argParser(parseMapping);

/** The options for `loadPreferences`. */
export function rowOptions({ split, datasetConfig, columnMapping }: RowFlags): LoadPreferencesOptions {
  return {
    ...(split === undefined ? {} : { split }),
    ...(datasetConfig === undefined ? {} : { datasetConfig }),
    ...(columnMapping === undefined ? {} : { columnMapping }),
    onNote: tell,
  };
}

function parseMapping(text: string): ColumnMapping {
  const mapping = parseRenaming(text);
  if (!mapping) throw new InvalidArgumentError("Expected pairs such as question=prompt,good=chosen.");
  expectColumnMapping(mapping);
  return mapping;
}

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

/** The command that was given, with the option added, ready to paste. */
export function overwritingCommand(command: Command): string {
  return pasteable(withOption(argumentsOf(command), OVERWRITE, "true"));
}

/** The arguments after `smaug` of the command that is running. */
export function argumentsOf(command: Command): readonly string[] {
  let root = command;
  while (root.parent) root = root.parent;
  return (root as Command & { rawArgs: readonly string[] }).rawArgs.slice(2);
}

/** The arguments with the option `name` set to `value`, or without it when `value` is undefined. */
export function withOption(args: readonly string[], name: string, value: string | undefined): string[] {
  const isOption = (arg: string) => arg.startsWith("--") && arg.slice(2).split("=")[0]!.replaceAll("-", "_") === name;
  const kept: string[] = [];
  for (let i = 0; i < args.length; i++) {
    if (!isOption(args[i]!)) kept.push(args[i]!);
    else if (!args[i]!.includes("=") && args[i + 1] !== undefined && !args[i + 1]!.startsWith("--")) i++;
  }
  return value === undefined ? kept : [...kept, `--${name}`, value];
}

/** Through npx if the running command was started that way. */
export function pasteable(args: readonly string[]): string {
  const program = process.env.npm_command === "exec" ? ["npx", "smaug"] : ["smaug"];
  return [...program, ...args].map(shellQuoted).join(" ");
}
