/**
 * Synchronous work under a time limit: what files can make arbitrarily slow, above all regular expressions.
 *
 * V8 checks for interrupts inside its regular expression engine, so the watchdog of `node:vm` stops any pattern,
 * lookaround and backreferences included, which linear-time engines refuse. It costs about 55 µs a call, so hot paths
 * put one limit around a batch: a limit inside another is not set, but says what was too slow.
 *
 * The limit is wall time, and is extended while the process has had less than a quarter of it on a processor, so that a
 * loaded or suspended machine is not mistaken for slow work.
 */
import { type Context, createContext, Script } from "node:vm";
import { InputError } from "./errors";

/** Work on some input took too long and was stopped. */
export class TimeLimitError extends InputError {}

/** How many times a limit is extended on a machine that is busy with other work. */
const EXTENSIONS = 5;

const sandbox = Object.create(null) as { work?: () => void };
let watchdog: { script: Script; context: Context } | undefined;
/** The message of the innermost limit; undefined while none is set. */
let innermost: ((seconds: number) => string) | undefined;

/** The time allowed for a text: a base in seconds, and one second more for so many characters. Tests lower it. */
export const allowance = { seconds: 5, charactersPerSecond: 100_000 };

/**
 * Seconds allowed for a text of that many characters. Ordinary patterns take less than a second per million characters;
 * catastrophic backtracking has no bound.
 */
export function secondsFor(characters: number): number {
  return allowance.seconds + characters / allowance.charactersPerSecond;
}

/**
 * Returns what `work` returns, or stops it after `seconds` and throws {@link TimeLimitError} with the text of `late`.
 *
 * `work` must be synchronous and may be run again; when stopped, it ends where it is, without its `finally` blocks.
 * Inside another limit, the outer one applies, with the message of this one.
 *
 * ```ts
 * const found = withinTime(5, () => pattern.test(text), () => `Expected /${pattern.source}/ to end but ...`);
 * ```
 */
export function withinTime<T>(seconds: number, work: () => T, late: (seconds: number) => string): T {
  if (innermost !== undefined) {
    const outer = innermost;
    innermost = late;
    try {
      return work();
    } finally {
      innermost = outer; // not reached when stopped, so that the outer limit can name what was slow
    }
  }
  const { script, context } = (watchdog ??= startWatchdog());
  let result: T;
  for (let extensions = 0; ; extensions++) {
    const limit = seconds * 2 ** extensions;
    const before = process.cpuUsage();
    innermost = late;
    sandbox.work = () => {
      result = work();
    };
    try {
      script.runInContext(context, { timeout: Math.ceil(limit * 1000), displayErrors: false });
      return result!;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
      const { user, system } = process.cpuUsage(before);
      const wasStarved = (user + system) / 1e6 < seconds / 4;
      if (!wasStarved || extensions === EXTENSIONS) throw new TimeLimitError(innermost(Math.round(limit * 10) / 10));
    } finally {
      innermost = undefined;
      delete sandbox.work;
    }
  }
}

function startWatchdog(): { script: Script; context: Context } {
  return { script: new Script("work()"), context: createContext(sandbox) };
}
