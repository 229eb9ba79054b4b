/**
 * Runs the command line: exit code 0 when done, 1 when the work failed, 2 for bad usage or bad input. An error is one
 * message on standard error; the stack comes with `DEBUG`. Also the signals that end a command.
 */
import { constants } from "node:os";
import { type Command, CommanderError, type Option } from "commander";
import { InputError } from "../base/errors";
import { printable } from "../base/terminal/printable";
import { resultIsInFiles, settleStandardStreams } from "../base/terminal/streams";
import { DeviceError } from "../native/errors";
import { tell } from "./output";

/** Parses `argv`, runs the command it names and sets `process.exitCode`. */
export async function run(program: Command, argv: readonly string[]): Promise<void> {
  prepare(program);
  program.hook("preAction", (_, command) => {
    if (leavesFiles(command)) resultIsInFiles({ mayNote: command.opts()["json"] !== true });
  });
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = exitCode(error);
    if (error instanceof CommanderError) return; // commander has said it
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    tell((process.env.DEBUG && stack) || `error: ${message.trimEnd()}`);
  } finally {
    await settleStandardStreams();
  }
}

/** Whether a command writes its results to files, and only their paths to standard output. */
function leavesFiles(command: Command): boolean {
  const { out, printConfig } = command.opts<{ out?: unknown; printConfig?: boolean }>();
  if (printConfig || out === "-") return false;
  return typeof out === "string" || ["train", "reference", "merge", "report", "reproduce", "setup"].includes(command.name());
}

function exitCode(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // 0: --help and --version
  return error instanceof InputError || error instanceof DeviceError ? 2 : 1;
}

// Commander hands settings down only to commands it makes itself.
function prepare(command: Command): void {
  const path = [command.name()];
  for (let parent = command.parent; parent; parent = parent.parent) path.unshift(parent.name());
  command.configureOutput({ writeErr: (text) => void process.stderr.write(printable(text)) });
  command.exitOverride().showHelpAfterError(`(${path.join(" ")} --help shows the options)`);
  command.options.forEach(takeUnderscores);
  command.commands.forEach(prepare);
}

/** Accepts `--max_new_tokens` for `--max-new-tokens`. Commander asks each option whether an argument matches it. */
function takeUnderscores(option: Option): void {
  const asked = option as Option & { is(arg: string): boolean };
  const is = asked.is.bind(asked);
  asked.is = (arg) => is(arg) || (arg.startsWith("--") && arg.replaceAll("_", "-") === option.long);
}

/** Signals that end a command. */
export const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Exits on Ctrl-C and the like, for a command that cannot be resumed. Exit handlers then run: an unhandled signal would
 * leave the lock and the hidden files in the output folder.
 *
 * @returns a function that stops handling signals
 */
export function exitOnSignals(): () => void {
  const exit = (signal: NodeJS.Signals): void => process.exit(128 + constants.signals[signal]);
  for (const signal of SIGNALS) process.on(signal, exit);
  return () => {
    SIGNALS.forEach((signal) => process.off(signal, exit));
    commandEnded();
  };
}

let ownsProcess = false;

/** Declares that this process runs only the command line, unlike a test or a program that calls a command. */
export function ownProcess(): void {
  ownsProcess = true;
}

/**
 * Called when a command has stopped handling signals because its work is done. A signal that arrives while the last output
 * is written must not change the exit code to that of a killed process.
 */
export function commandEnded(): void {
  if (ownsProcess) for (const signal of SIGNALS) process.on(signal, () => process.exit());
}
