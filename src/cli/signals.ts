/** Signals that end a command which leaves no way to resume. */
import { constants } from "node:os";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Exits on Ctrl-C and the like, so that what the process holds is given back: a signal that nobody handles would leave
 * the lock and the hidden files in the output folder. Returns what undoes it.
 */
export function exitOnSignals(): () => void {
  const exit = (signal: NodeJS.Signals): void => process.exit(128 + constants.signals[signal]);
  for (const signal of SIGNALS) process.on(signal, exit);
  return () => SIGNALS.forEach((signal) => process.off(signal, exit));
}
