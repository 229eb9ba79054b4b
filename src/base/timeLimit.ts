/**
 * Synchronous work under a time limit: what files can make arbitrarily slow, above all regular expressions.
 *
 * V8 checks for interrupts inside its regular expression engine, so the watchdog of `node:vm` stops any pattern,
 * lookaround and backreferences included, which linear-time engines refuse. It costs about 55 µs a call, so hot paths
 * put one limit around a batch: a limit inside another is not set. Engines without that watchdog run without limits.
 *
 * The limit is wall time, and is extended while the process has had less than half of it on a processor: a loaded or
 * suspended machine is no reason to stop.
 */
import { type Context, Script, createContext } from "node:vm";
import { InputError } from "./errors";

/** Work on some input took too long and was stopped. */
export class TimeLimitError extends InputError {}

/** How many times a limit is extended on a machine that is busy with other work. */
const EXTENSIONS = 6;

const sandbox = Object.create(null) as { work?: () => void };
let watchdog: { script: Script; context: Context } | undefined;
/** Whether a limit is already set, so that inner ones are not. */
let isLimited = false;

/**
 * Seconds allowed for a text of that many characters. Honest work takes less than a second a million characters; a
 * pattern that backtracks without end takes any time.
 */
export function secondsFor(characters: number): number {
  return 5 + characters / 100_000;
}

/**
 * Returns what `work` returns, or stops it after `seconds` and throws {@link TimeLimitError} with the text of `late`.
 *
 * `work` must be synchronous and may be run again; when stopped, it ends where it is, without its `finally` blocks.
 *
 * ```ts
 * const found = withinTime(5, () => pattern.test(text), () => `Expected /${pattern.source}/ to end but ...`);
 * ```
 */
export function withinTime<T>(seconds: number, work: () => T, late: (seconds: number) => string): T {
  if (isLimited) return work();
  const { script, context } = (watchdog ??= startWatchdog());
  let result: T;
  for (let extensions = 0; ; extensions++) {
    const limit = seconds * 2 ** extensions;
    const before = process.cpuUsage();
    isLimited = true;
    sandbox.work = () => {
      result = work();
    };
    try {
      script.runInContext(context, { timeout: Math.ceil(limit * 1000), displayErrors: false });
      return result!;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
      const { user, system } = process.cpuUsage(before);
      const wasIdle = (user + system) / 1e6 < limit / 2;
      if (!wasIdle || extensions === EXTENSIONS) throw new TimeLimitError(late(limit), { cause: error });
    } finally {
      isLimited = false;
      delete sandbox.work;
    }
  }
}

function startWatchdog(): { script: Script; context: Context } {
  return { script: new Script("work()"), context: createContext(sandbox) };
}
