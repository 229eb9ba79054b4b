/** The outcome of a run, in numbers and in sentences, and warnings about it. */
import { mean } from "../base/samples";
import { fallAdvice, isStuck, STUCK_ADVICE, WINDOW_LINES } from "../train/failures";
import { averagedLines, type ChosenAnswers, chosenAnswers } from "./chosenAnswers";
import { short, signed } from "./html";
import { configOf, type LoggedRun, type RunLine } from "./run";

/** The mean of a metric over the first or last `count` lines that have it; undefined when none has. */
export function meanAt(
  end: "start" | "end",
  lines: readonly RunLine[],
  metric: string,
  count = averagedLines(lines),
): number | undefined {
  const values = lines.map((line) => line[metric]).filter((value) => value !== undefined);
  const some = end === "start" ? values.slice(0, count) : values.slice(-count);
  return some.length > 0 ? mean(some) : undefined;
}

/** One sentence that sums up all runs, as far as that can be told (chosenAnswers.ts). */
export function headline(runs: readonly LoggedRun[]): string {
  const [first, ...others] = runs;
  const list = (some: readonly LoggedRun[]) =>
    some
      .map(({ name }) => name)
      .join(", ")
      .replace(/, ([^,]*)$/, " and $1");
  const chosen = runs.map(chosenAnswers);
  if (chosen.includes(undefined)) return others.length > 0 ? `${list(runs)}, side by side` : `Training of ${first!.name}`;
  const those = (...verdicts: ChosenAnswers["verdict"][]) => runs.filter((_, i) => verdicts.includes(chosen[i]!.verdict));
  const [fallen, held, unclear] = [those("fell"), those("rose", "stayed"), those("unclear")];
  if (others.length > 0) {
    if (fallen.length === runs.length) return "Every run left the chosen answers less likely than under the reference.";
    if (held.length === runs.length) return "No run pushed the chosen answers below the reference.";
    return [
      ...(fallen.length > 0 ? [`${list(fallen)} pushed the chosen answers down.`] : []),
      ...(held.length > 0 ? [`${list(held)} held ${fallen.length > 0 ? "them" : "the chosen answers"}.`] : []),
      ...(unclear.length > 0 ? [`Too few to tell for ${list(unclear)}.`] : []),
    ].join(" ");
  }
  const { nats, verdict } = chosen[0]!;
  switch (verdict) {
    case "fell":
      return `The chosen answers fell ${(-nats).toFixed(2)} nats below the reference.`;
    case "rose":
      return `The chosen answers rose ${nats.toFixed(2)} nats above the reference.`;
    case "stayed":
      return "The chosen answers stayed at the level of the reference.";
    case "unclear":
      return "Too few to tell whether the chosen answers fell or rose.";
  }
}

/** `−0.27 ± 0.61`: the mean and its standard error. */
function natsOf({ nats, error }: ChosenAnswers): string {
  return error === undefined ? signed(nats) : `${signed(nats)} ± ${error.toFixed(2)}`;
}

/** The outcome of a run, as a sentence. */
export function outcome(run: LoggedRun): string {
  const { lines, name, beta, totalSteps } = run;
  const against = chosenAnswers(run);
  // All numbers of the sentence are from the same pairs.
  const value = (metric: string) => (against?.evaluation ? against.evaluation[metric] : meanAt("end", lines, metric));
  const step = lines.at(-1)!["step"]!;
  const [rejected, accuracy] = ["rewards/rejected", "rewards/accuracies"].map(value);
  const loss = value("loss");
  const parts: string[] = [];
  if (beta !== undefined && rejected !== undefined) parts.push(`rejected answers at ${signed(rejected / beta)} nats`);
  if (accuracy !== undefined) parts.push(`${(100 * accuracy).toFixed(0)}% of the pairs the right way round`);
  if (loss !== undefined) parts.push(`loss ${short(loss)}`);
  const steps = totalSteps !== undefined && totalSteps > step ? `${step} of ${totalSteps} steps` : `${step} steps`;
  const over = averagedLines(lines);
  const which = against?.evaluation
    ? "the same evaluation"
    : over === 1
      ? "the last logged line"
      : `mean of the last ${over} logged lines`;
  const chosen =
    against &&
    `chosen answers at ${natsOf(against)} nats against the reference (mean${against.error === undefined ? "" : " ± standard error"}, ${against.over})`;
  const way = against?.verdict === "unclear" ? " To tell, evaluate on more pairs (eval_strategy)." : "";
  return `${name}, after ${steps}: ${chosen === undefined ? "" : `${chosen}; `}${parts.join(", ")} (${which}).${way}`;
}

/** Warnings about a run, with what to do. */
export function warnings(run: LoggedRun): string[] {
  const { lines, name, beta, nonFinite, header, totalSteps, closing } = run;
  const found: string[] = [];
  const chosen = chosenAnswers(run);
  if (chosen?.verdict === "fell") {
    const rewards = lines.filter((line) => line["rewards/chosen"] !== undefined);
    const lowest = rewards.reduce((a, b) => (b["rewards/chosen"]! < a["rewards/chosen"]! ? b : a));
    const usesDpop = `${String(header["loss"])} ${String(configOf(header)["loss_type"])}`.includes("dpop");
    found.push(
      `${name}: the chosen answers end ${(-chosen.nats).toFixed(2)} nats per answer below the reference, whatever the ` +
        `margin says (lowest: ${signed(lowest["rewards/chosen"]! / beta!)} at step ${lowest["step"]}). This is the failure that ` +
        `DPOP prevents. ${fallAdvice(usesDpop)}.`,
    );
  }
  const last = lines.slice(-WINDOW_LINES);
  if (last.length === WINDOW_LINES && last.every((line) => isStuck(line["loss"]!)))
    found.push(`${name}: the loss is at ln 2 = 0.6931 in the last ${WINDOW_LINES} lines: ${STUCK_ADVICE}.`);
  if (nonFinite.length > 0)
    found.push(
      `${name}: loss or gradient was not finite at step ${nonFinite.slice(0, 5).join(", ")}${nonFinite.length > 5 ? " and more" : ""}.`,
    );
  const step = lines.at(-1)!["step"]!;
  if (totalSteps !== undefined && step < totalSteps && !closing)
    found.push(`${name}: not finished. Its last logged step is ${step} of ${totalSteps}.`);
  return found;
}
