/** What goes wrong in preference training while every number looks well: said once each, with what to do. */
import { LEAST_PAIRS, type Sample, pooled } from "../../base/samples";
import { type PreferenceLoss, lossNeeds } from "../../preference";
import type { LogLine } from "../metrics/names";

/** Logged lines in a row after which something is no accident. */
const LINES = 5;
const LN2 = Math.log(2);
/**
 * How many standard errors a mean over lines that are all below 0 must be from 0. It is more than the report's two: such
 * lines are picked by their sign, so chance alone puts the mean of five of them 1.8 errors below 0, √5 · √(2/π), and every
 * logged line is another chance.
 */
const ERRORS = 4;

export class Watch {
  /** How many consecutive lines had the chosen answers below the reference, and the rewards of all their pairs. */
  private chosenBelow: { lines: number; rewards?: Sample } = { lines: 0 };
  private lossStuck = 0;
  private readonly said = new Set<string>();

  /** `rows`: the number of rows in training. A pair that comes up again is not another pair. */
  constructor(
    private readonly loss: Pick<PreferenceLoss, "name" | "beta" | "needs">,
    private readonly rows: number,
  ) {}

  /** The warnings that this line gives reason for. */
  after(line: Pick<LogLine, "loss" | "rewards/chosen" | "rewards/chosen_std" | "rewards/chosen_pairs">): string[] {
    const { "rewards/chosen": mean = NaN, "rewards/chosen_std": std = 0, "rewards/chosen_pairs": count = 1 } = line;
    // Without a reference rewards are log-probs, which are always below 0.
    const isBelow = lossNeeds(this.loss, "reference") && mean < 0;
    const { lines, rewards } = this.chosenBelow;
    const now = { mean, std, count };
    this.chosenBelow = isBelow ? { lines: lines + 1, rewards: rewards ? pooled([rewards, now]) : now } : { lines: 0 };
    this.lossStuck = Math.abs(line["loss"]! - LN2) < 1e-4 ? this.lossStuck + 1 : 0;
    const warnings: string[] = [];
    const below = this.chosenBelow;
    if (below.lines >= LINES && isNoAccident(below.rewards!, this.rows)) {
      const nats = mean / (this.loss.beta ?? 1);
      warnings.push(
        `the chosen answers have been less likely than under the reference for ${below.lines} logged lines, now by ` +
          `${(-nats).toFixed(2)} nats per answer, whatever the margin says: the failure that DPOP prevents. ` +
          (this.loss.name.includes("dpop")
            ? "Raise dpop_lambda, or lower learning_rate"
            : `Train with loss_type dpop instead of ${this.loss.name}, or lower learning_rate`),
      );
    }
    if (this.lossStuck >= LINES)
      warnings.push(
        `the loss has stayed at ln 2 = 0.6931 for ${LINES} logged lines: nothing is being learnt. Raise learning_rate, and check ` +
          "that the answers differ (smaug data inspect) and that something is trained (lora_target_modules)",
      );
    return warnings.filter((warning) => {
      const kind = warning.slice(0, 20);
      return !this.said.has(kind) && this.said.add(kind);
    });
  }
}

/** Whether a mean is far enough from 0, over enough pairs. */
function isNoAccident({ mean, std, count }: Sample, rows: number): boolean {
  const pairs = Math.min(count, rows);
  return pairs >= LEAST_PAIRS && Math.abs(mean) > (ERRORS * std) / Math.sqrt(pairs);
}
