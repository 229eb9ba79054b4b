/** Training traces of TRL, and of DPOP in plain PyTorch, as scripts/parity/traces.py writes and describes them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface TraceRow {
  prompt: number[];
  chosen: number[];
  rejected: number[];
}

export type MetricColumns = Readonly<Record<string, readonly number[]>>;

export interface Trace {
  /** "sigmoid", "accumulation", … */
  name: string;
  /** The folder of the adapter that trains, or null: all weights train. */
  adapter: string | null;
  /** Settings of the run with the names of a configuration file. */
  settings: Readonly<Record<string, unknown>>;
  /** Each metric's value per step; `step` counts from 1. */
  log: MetricColumns;
  /** The same per evaluation, without `eval_` before the names. */
  eval?: MetricColumns;
}

export const modelFolder = join(__dirname, "model");

/** The rows, in token ids: 40 to train on, 10 to evaluate on. */
export function traceRows(): { train: TraceRow[]; eval: TraceRow[] } {
  const { train, eval: evaluation } = read<Record<"train" | "eval", [number[], number[], number[]][]>>("pairs.json");
  const rows = (from: [number[], number[], number[]][]) =>
    from.map(([prompt, chosen, rejected]) => ({ prompt, chosen, rejected }));
  return { train: rows(train), eval: rows(evaluation) };
}

/** `trl`: TRL's own, in float32. `dpop`: the paper's formula in float64. */
export function traces(): { trl: Trace[]; dpop: Trace[] } {
  const { common, trl, dpop } = read<{ common: Trace["settings"]; trl: Trace[]; dpop: Trace[] }>("traces.json");
  const whole = (trace: Trace): Trace => ({
    ...trace,
    adapter: trace.adapter && join(__dirname, trace.adapter),
    settings: { ...common, ...trace.settings },
  });
  return { trl: trl.map(whole), dpop: dpop.map(whole) };
}

/**
 * Largest |actual − expected| by max(|expected|, 0.1) over the steps. The floor is for rewards near 0, which are
 * differences of float32 sums around 30: by it, TRL in float32 is within 5e-5 of TRL in float64.
 */
export function deviation(actual: readonly number[], expected: readonly number[]): number {
  if (actual.length !== expected.length) return Infinity;
  return Math.max(...expected.map((value, i) => Math.abs(actual[i]! - value) / Math.max(Math.abs(value), 0.1)));
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(join(__dirname, name), "utf8")) as T;
}
