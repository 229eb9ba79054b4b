/**
 * Runs the command line: exit code 0 when done, 1 when the work failed, 2 for bad usage or bad input. An error is one
 * message on standard error; the stack comes with `DEBUG`.
 */
import { type Command, CommanderError } from "commander";
import { printable } from "../base/terminal";
import { DeviceError, InputError } from "../native/errors";
import { tell } from "./output";

/** Parses `argv`, runs the command it names and sets `process.exitCode`. */
export async function run(program: Command, argv: readonly string[]): Promise<void> {
  prepare(program);
  // Who reads may stop early (`smaug generate … | head`): nothing is wrong then.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit();
  });
  try {
    await program.parseAsync(argv);
  } catch (error) {
    process.exitCode = exitCode(error);
    if (error instanceof CommanderError) return; // commander has said it
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    tell((process.env.DEBUG && stack) || `error: ${shortened(message.trimEnd())}`);
  }
}

/** A message may quote a value that fills many screens. */
function shortened(message: string): string {
  const more = message.length - LONGEST;
  return more > 0 ? `${message.slice(0, LONGEST)}… (${more} characters more)` : message;
}

const LONGEST = 10_000; // characters

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
  command.commands.forEach(prepare);
}
