/** Command lines to paste: what the user typed, with an option set to another value. */
import type { Command } from "commander";
import { shellQuoted } from "../base/files/paths";

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
