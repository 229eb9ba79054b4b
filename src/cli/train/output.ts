/** The terminal output of `smaug train`: the run as it was prepared, and short metrics. */
import { describeTokenized } from "../../data";
import type { LogLine, Preparation } from "../../train";
import type { Measured } from "../../train/metrics/names";
import { tell } from "../output";

const SHOWN: readonly [metric: Measured | "grad_norm", label: string, digits: number][] = [
  ["loss", "loss", 4],
  ["rewards/chosen", "chosen", 3],
  ["rewards/margins", "margin", 3],
  ["rewards/accuracies", "accuracy", 2],
  ["dpop/penalty_active", "penalised", 2],
  ["grad_norm", "grad", 2],
];

/** `prefix` is that of the metrics of an evaluation. */
export function formatMetrics(line: LogLine, prefix: "" | "eval_" = ""): string {
  const values: Readonly<Record<string, number | undefined>> = line;
  return SHOWN.flatMap(([name, label, digits]) => {
    const value = values[prefix + name];
    return value === undefined ? [] : [`${label} ${value.toFixed(digits)}`];
  }).join("  ");
}

/** To standard error: the run in a few lines, and every row that is left out or cut. */
export function reportPreparation(preparation: Preparation): void {
  const {
    header,
    tokenized,
    limits,
    plan,
    reference,
    referenceComputed,
    start,
    state,
    loss,
    train,
    evaluation,
    schedule,
    resumed,
    settings,
  } = preparation;
  for (const [name, rows] of Object.entries(tokenized))
    if (rows) for (const line of describeTokenized(rows, limits)) tell(`${name}: ${line}`);
  tell(`model      ${header.trained_weights.toLocaleString("en")} weights train, on ${header.device}`);
  tell(
    `rows       ${train.length} to train on${evaluation.length > 0 ? `, ${evaluation.length} to evaluate on` : ""}; ${schedule.totalSteps} steps`,
  );
  tell(`memory     ${plan.reason}`);
  if (reference.size > 0)
    tell(`reference  ${reference.size} pairs, ${referenceComputed} computed now, the others from the cache`);
  if (start)
    tell(
      `start      max |β ρ| = ${(state.step0MaxAbs ?? 0).toExponential(1)} over ${start.pairs} pairs${preparation.startIsReference ? " (0: the run starts at the reference)" : "; the reference is another adapter"}`,
    );
  if (state.dpopTolerance !== null)
    tell(
      `tolerance  a fall of the chosen answer below ${state.dpopTolerance.toExponential(1)} nats is rounding, and not penalised`,
    );
  if (resumed) tell(`resumed    from ${resumed}, after step ${state.globalStep}`);
  // Both have defaults that are not TRL's. SFT's β only scales the rewards in the metrics.
  const beta = loss.beta === undefined || loss.name === "sft" ? "" : `, β ${loss.beta}`;
  tell(`loss       ${loss.name || "a function"}${beta}; learning rate ${settings.learningRate.toExponential()}`);
}
