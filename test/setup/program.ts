/**
 * Programs in a Node of their own, for what vitest cannot host: one that may abort, that measures its own memory, or
 * that starts worker threads. A program is a TypeScript file that ends with `report(value)`.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

const register = fileURLToPath(new URL("typescript.cjs", import.meta.url));

export interface ProgramResult<T> {
  /** What the program reported; undefined when it never did. */
  value: T | undefined;
  code: number | string | null;
  signal: NodeJS.Signals | null;
  stderr: string;
}

export interface ProgramOptions {
  args?: (string | number)[];
  nodeOptions?: string[];
  /** Milliseconds. */
  timeout?: number;
}

/** Runs a program to its end, however it ends. */
export function runProgram<T>(
  url: URL,
  { args = [], nodeOptions = [], timeout = 60_000 }: ProgramOptions = {},
): Promise<ProgramResult<T>> {
  const command = [...nodeOptions, "--require", register, fileURLToPath(url), ...args.map(String)];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { timeout, killSignal: "SIGKILL", maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      const reported = /^report: (.*)$/m.exec(stdout)?.[1];
      resolve({
        value: reported === undefined ? undefined : (JSON.parse(reported) as T),
        code: error ? (error.code ?? null) : 0,
        signal: error?.signal ?? null,
        stderr: stderr.slice(-4000),
      });
    });
  });
}

/** Runs a program that has to succeed and returns what it reported. */
export async function reportOf<T>(url: URL, options?: ProgramOptions): Promise<T> {
  const { value, code, signal, stderr } = await runProgram<T>(url, options);
  if (code === 0 && value !== undefined) return value;
  throw new Error(
    `${url.pathname} ended with ${signal ?? `code ${code}`} and ${value === undefined ? "no report" : "a report"}\n${stderr}`,
  );
}
