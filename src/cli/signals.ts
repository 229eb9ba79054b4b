/** What a signal does while a command runs that leaves no way to resume, and once a command has ended. */
import { constants } from "node:os";

export const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Exits on Ctrl-C and the like, so that what the process holds is given back: a signal that nobody handles would leave
 * the lock and the hidden files in the output folder. Returns what undoes it.
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

/** Says that this process is the command line's alone, as it is not in a test or a program that calls a command. */
export function ownProcess(): void {
  ownsProcess = true;
}

/**
 * Called when a command has stopped handling signals because its work is done. One that arrives while the last output is
 * written must not turn the exit code into that of a killed process: the process exits with the code it has.
 */
export function commandEnded(): void {
  if (ownsProcess) for (const signal of SIGNALS) process.on(signal, () => process.exit());
}
