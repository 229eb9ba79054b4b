/** What a run came to, in numbers and in sentences, and what went wrong in it. */
import { short } from "./numbers";
import { type Run, type RunLine, configOf } from "./run";

/** The most logged lines that "at the end" and "at the start" are the mean of; of few lines each is a quarter. */
const LINES = 5;
/** Nats of a whole answer that are nothing. */
const NOTHING = 0.01;
const LN2 = Math.log(2);

/** The mean of a metric over the first or last `count` lines that have it; undefined when none has. */
export function meanAt(end: "start" | "end", lines: readonly RunLine[], metric: string, count = few(lines)): number | undefined {
  const values = lines.map((line) => line[metric]).filter((value) => value !== undefined);
  const some = end === "start" ? values.slice(0, count) : values.slice(-count);
  return some.length > 0 ? some.reduce((sum, value) => sum + value, 0) / some.length : undefined;
}

const few = ({ length }: readonly RunLine[]): number => Math.max(1, Math.min(LINES, Math.floor(length / 4)));

/** How far the chosen answers are from the reference at the end, in nats an answer. */
export function chosenAtEnd({ lines, beta }: Run): number | undefined {
  const reward = meanAt("end", lines, "rewards/chosen");
  return beta === undefined || reward === undefined ? undefined : reward / beta;
}

/** Below the reference by more than rounding. */
export function chosenFell(run: Run): boolean {
  const { dpop_tolerance: tolerance } = run.statement;
  return (chosenAtEnd(run) ?? 0) < -Math.max(NOTHING, typeof tolerance === "number" ? tolerance : 0);
}

/** One sentence that says what came of all runs. */
export function headline(runs: readonly Run[]): string {
  const [first, ...others] = runs;
  const list = (some: readonly Run[]) => some.map(({ name }) => name).join(", ").replace(/, ([^,]*)$/, " and $1");
  if (runs.some((run) => chosenAtEnd(run) === undefined)) return others.length > 0 ? `${list(runs)}, side by side` : `Training of ${first!.name}`;
  const fallen = runs.filter(chosenFell);
  const held = runs.filter((run) => !chosenFell(run));
  if (others.length > 0) {
    if (held.length === 0) return "Every run left the chosen answers less likely than the reference has them.";
    if (fallen.length === 0) return "No run pushed the chosen answers below the reference.";
    return `${list(fallen)} pushed the chosen answers down. ${list(held)} held them.`;
  }
  const nats = chosenAtEnd(first!)!;
  if (fallen.length > 0) return `The chosen answers fell ${(-nats).toFixed(2)} nats below the reference.`;
  return nats > NOTHING
    ? `The chosen answers rose ${nats.toFixed(2)} nats above the reference.`
    : "The chosen answers stayed where the reference has them.";
}

/** What a run came to, as a sentence. */
export function outcome(run: Run): string {
  const { lines, name, beta, totalSteps } = run;
  const value = (metric: string) => meanAt("end", lines, metric);
  const step = lines.at(-1)!["step"]!;
  const [chosen, rejected, accuracy] = ["rewards/chosen", "rewards/rejected", "rewards/accuracies"].map(value);
  const loss = value("loss");
  const parts: string[] = [];
  if (beta !== undefined && chosen !== undefined && rejected !== undefined)
    parts.push(`chosen answers at ${signed(chosen / beta)} nats against the reference, rejected ones at ${signed(rejected / beta)}`);
  if (accuracy !== undefined) parts.push(`${(100 * accuracy).toFixed(0)}% of the pairs the right way round`);
  if (loss !== undefined) parts.push(`loss ${short(loss)}`);
  const steps = totalSteps !== undefined && totalSteps > step ? `${step} of ${totalSteps} steps` : `${step} steps`;
  const over = few(lines);
  return `${name}, after ${steps}: ${parts.join(", ")} (${over === 1 ? "the last line" : `mean of the last ${over} lines`} logged).`;
}

/** What went wrong in a run, with what to do. */
export function warnings(run: Run): string[] {
  const { lines, name, beta, nonFinite, statement, totalSteps, closing } = run;
  const found: string[] = [];
  if (chosenFell(run)) {
    const rewards = lines.filter((line) => line["rewards/chosen"] !== undefined);
    const lowest = rewards.reduce((a, b) => (b["rewards/chosen"]! < a["rewards/chosen"]! ? b : a));
    const usesDpop = `${String(statement["loss"])} ${String(configOf(statement)["loss_type"])}`.includes("dpop");
    found.push(
      `${name}: the chosen answers end ${(-chosenAtEnd(run)!).toFixed(2)} nats an answer below the reference, whatever the ` +
        `margin says (lowest: ${signed(lowest["rewards/chosen"]! / beta!)} at step ${lowest["step"]}). This is the failure that ` +
        `DPOP is made against. ` +
        (usesDpop ? "Raise dpop_lambda, or lower learning_rate." : "Train with loss_type dpop, or lower learning_rate."),
    );
  }
  const last = lines.slice(-LINES);
  if (last.length === LINES && last.every((line) => Math.abs(line["loss"]! - LN2) < 1e-4))
    found.push(
      `${name}: the loss stands at ln 2 = 0.6931 in the last ${LINES} lines: nothing is learnt. Raise learning_rate, and see ` +
        "whether the answers differ (smaug data inspect) and anything trains (lora_target_modules).",
    );
  if (nonFinite.length > 0)
    found.push(`${name}: loss or gradient was no finite number at step ${nonFinite.slice(0, 5).join(", ")}${nonFinite.length > 5 ? " and more" : ""}.`);
  const step = lines.at(-1)!["step"]!;
  if (totalSteps !== undefined && step < totalSteps && !closing)
    found.push(`${name}: not finished. Its last logged step is ${step} of ${totalSteps}.`);
  return found;
}

export const signed = (value: number): string => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
