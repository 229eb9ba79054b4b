/** What `smaug train` says on a terminal: what was found and chosen before the first step, and metrics in few words. */
import { describeTokenized } from "../data";
import type { LogLine, Preparation } from "../train";

const SHOWN: readonly [metric: string, label: string, digits: number][] = [
  ["loss", "loss", 4],
  ["rewards/chosen", "chosen", 3],
  ["rewards/margins", "margin", 3],
  ["rewards/accuracies", "accuracy", 2],
  ["dpop/penalty_active", "penalised", 2],
  ["grad_norm", "grad", 2],
];

/** `prefix` is that of the metrics of an evaluation. */
export function formatMetrics(line: LogLine, prefix = ""): string {
  return SHOWN.flatMap(([name, label, digits]) => {
    const value = line[prefix + name];
    return value === undefined ? [] : [`${label} ${value.toFixed(digits)}`];
  }).join("  ");
}

/** To standard error: the run in a few lines, and every row that is left out or cut. */
export function reportPreparation(preparation: Preparation): void {
  const { statement, tokenized, limits, plan, reference, referenceComputed, start, state, loss, train, evaluation, schedule, resumed } = preparation;
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  for (const [name, rows] of Object.entries(tokenized))
    if (rows) for (const line of describeTokenized(rows, limits)) say(`${name}: ${line}`);
  const { trained_weights: weights, device } = statement as { trained_weights: number; device: string };
  say(`model      ${weights.toLocaleString("en")} weights train, on ${device}`);
  say(`rows       ${train.length} to train on${evaluation.length > 0 ? `, ${evaluation.length} to evaluate on` : ""}; ${schedule.totalSteps} steps`);
  say(`memory     ${plan.reason}`);
  if (reference.size > 0) say(`reference  ${reference.size} pairs, ${referenceComputed} computed now, the others from the cache`);
  if (start) say(`start      max |β ρ| = ${(state.step0MaxAbs ?? 0).toExponential(1)} over ${start.pairs} pairs${preparation.startIsReference ? " (0: the run starts at the reference)" : "; the reference is another adapter"}`);
  if (state.dpopTolerance !== null) say(`tolerance  a fall of the chosen answer below ${state.dpopTolerance.toExponential(1)} nats is rounding, and not penalised`);
  if (resumed) say(`resumed    from ${resumed}, after step ${state.globalStep}`);
  say(`loss       ${loss.name || "a function"}`);
}
