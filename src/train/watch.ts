/** What goes wrong in preference training while every number looks well: said once each, with what to do. */
import { type PreferenceLoss, lossNeeds } from "../preference";
import type { LogLine } from "./metricNames";

/** Logged lines in a row after which something is no accident. */
const LINES = 5;
const LN2 = Math.log(2);

export class Watch {
  private chosenBelow = 0;
  private lossStuck = 0;
  private readonly said = new Set<string>();

  constructor(private readonly loss: Pick<PreferenceLoss, "name" | "beta" | "needs">) {}

  /** The warnings that this line gives reason for. */
  after(line: Pick<LogLine, "loss" | "rewards/chosen">): string[] {
    // Without a reference rewards are log-probs, which are always below 0.
    const isBelow = lossNeeds(this.loss, "reference") && line["rewards/chosen"]! < 0;
    this.chosenBelow = isBelow ? this.chosenBelow + 1 : 0;
    this.lossStuck = Math.abs(line["loss"]! - LN2) < 1e-4 ? this.lossStuck + 1 : 0;
    const warnings: string[] = [];
    if (this.chosenBelow >= LINES) {
      const nats = line["rewards/chosen"]! / (this.loss.beta ?? 1);
      warnings.push(
        `the chosen answers have been less likely than under the reference for ${LINES} logged lines, now by ` +
          `${(-nats).toFixed(2)} nats an answer, whatever the margin says: the failure that DPOP prevents. ` +
          (this.loss.name.includes("dpop")
            ? "Raise dpop_lambda, or lower learning_rate"
            : `Train with loss_type dpop instead of ${this.loss.name}, or lower learning_rate`),
      );
    }
    if (this.lossStuck >= LINES)
      warnings.push(
        `the loss has stayed at ln 2 = 0.6931 for ${LINES} logged lines: nothing is learnt. Raise learning_rate, and see ` +
          "whether the answers differ (smaug data inspect) and anything trains (lora_target_modules)",
      );
    return warnings.filter((warning) => {
      const kind = warning.slice(0, 20);
      return !this.said.has(kind) && this.said.add(kind);
    });
  }
}
