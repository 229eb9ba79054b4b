/**
 * Opens libtorch in a subprocess. A library that is damaged, or belongs to another program, can crash the process that
 * opens it, or never return; `setup` and `doctor` must survive to report it.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { type EnvironmentVariables, packageRoot } from "../../base/package";
import type { LoadAttempt } from "../load";
import type { Libtorch } from "./locate";

/** Loading takes a second, on a cold disk some more. */
const timeout = 120_000;
const maxBuffer = 16 * 2 ** 20;

/** How a subprocess ended that returned nothing, such as `SIGSEGV`. */
export interface Ended {
  ended: string;
}

/**
 * Calls a function of `dist/native` in another Node process and returns its result, passed as JSON; `{ ended }` if that
 * process crashed or took too long.
 */
export function inSubprocess<T extends object>(
  module: "doctor" | "subprocess",
  name: string,
  args: unknown[],
  env: EnvironmentVariables,
): T | Ended {
  const file = join(packageRoot, "dist", "native", "setup", `${module}.js`);
  // The result has its own descriptor: libraries may write to the standard streams.
  const script = `const [file, name, args] = process.argv.slice(1);
    require("node:fs").writeSync(3, JSON.stringify(require(file)[name](...JSON.parse(args))));`;
  const { output, signal, status, error } = spawnSync(process.execPath, ["-e", script, file, name, JSON.stringify(args)], {
    env: env as NodeJS.ProcessEnv,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
    timeout,
    killSignal: "SIGKILL",
    maxBuffer,
    encoding: "utf8",
  });
  try {
    return JSON.parse(output?.[3] ?? "") as T;
  } catch {
    const { code, message } = (error ?? {}) as NodeJS.ErrnoException;
    const lastWords = output?.[2]?.trim().split("\n").at(-1);
    if (code === "ETIMEDOUT") return { ended: `it did not end within ${timeout / 1000} s` };
    return { ended: signal ?? message ?? `code ${status}${lastWords ? `: ${lastWords}` : ""}` };
  }
}

/** The result of loading, without the binding, which cannot be passed between processes. */
export type LoadReport = Omit<LoadAttempt, "binding"> & { loaded: boolean };

/** As `attemptLoad`, in a subprocess, verifying the digests of a fetched libtorch. */
export function loadInSubprocess(env: EnvironmentVariables, root: string, libtorch: Libtorch): LoadReport {
  const report = inSubprocess<LoadReport>("subprocess", "reportLoad", [root, libtorch], env);
  if (!("ended" in report)) return report;
  return { loaded: false, libtorch, failed: "libtorch", checks: [crashCheck(report, libtorch)] };
}

/** The check to report for a subprocess that crashed. */
export function crashCheck({ ended }: Ended, libtorch: Pick<Libtorch, "source"> | undefined) {
  return {
    name: "libraries",
    found: `opening them ended the process: ${ended}`,
    expected: "open",
    status: "problem" as const,
    fix: `${libtorch?.source === "LIBTORCH" ? "unset LIBTORCH; " : ""}npx smaug setup --fetch    (libtorch for the CPU)`,
  };
}

/** What {@link loadInSubprocess} runs in the subprocess, which finds it by name. @public */
export function reportLoad(root: string, libtorch: Libtorch): LoadReport {
  const { attemptLoad } = require("../load") as typeof import("../load");
  const { binding, ...report } = attemptLoad(process.env, root, libtorch, { verify: true });
  return { ...report, loaded: binding !== undefined };
}
