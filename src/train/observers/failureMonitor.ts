/** Warns once about each failure of preference training that the usual metrics do not show, and says what to do. */
import { LEAST_PAIRS, pooled, type Sample } from "../../base/samples";
import { lossNeeds, type PreferenceLoss } from "../../preference";
import { fallAdvice, isStuck, STUCK_ADVICE, WINDOW_LINES } from "../failures";
import type { LogLine, TrainingStep } from "../metrics/names";
import type { RunObserver } from "./observer";

/**
 * How many standard errors a mean over lines that are all below 0 must be from 0. It is more than the report's two: such
 * lines are picked by their sign, so chance alone puts the mean of five of them 1.8 errors below 0, √5 · √(2/π), and every
 * logged line is another chance.
 */
const FALL_ERRORS = 4;

export class FailureMonitor implements RunObserver {
  /** How many consecutive lines had the chosen answers below the reference, and the rewards of all their pairs. */
  private chosenBelow: { lines: number; rewards?: Sample } = { lines: 0 };
  private lossStuck = 0;
  private readonly said = new Set<string>();

  /** @param rows number of rows in training: a pair that comes up again is not another pair */
  constructor(
    private readonly loss: Pick<PreferenceLoss, "name" | "beta" | "needs">,
    private readonly rows: number,
    private readonly warn: (message: string) => void = () => undefined,
  ) {}

  afterStep({ logged }: Pick<TrainingStep, "logged">): void {
    if (logged) for (const warning of this.after(logged)) this.warn(warning);
  }

  /** The warnings that a logged line gives reason for. */
  after(line: Pick<LogLine, "loss" | "rewards/chosen" | "rewards/chosen_std" | "rewards/chosen_pairs">): string[] {
    const { "rewards/chosen": mean = NaN, "rewards/chosen_std": std = 0, "rewards/chosen_pairs": count = 1 } = line;
    // Without a reference rewards are log-probs, which are always below 0.
    const isBelow = lossNeeds(this.loss, "reference") && mean < 0;
    const { lines, rewards } = this.chosenBelow;
    const now = { mean, std, count };
    this.chosenBelow = isBelow ? { lines: lines + 1, rewards: rewards ? pooled([rewards, now]) : now } : { lines: 0 };
    this.lossStuck = isStuck(line["loss"]!) ? this.lossStuck + 1 : 0;
    return [this.warningOfFall(mean), this.warningOfStuckLoss()].filter((warning) => warning !== undefined);
  }

  private warningOfFall(mean: number): string | undefined {
    const { lines, rewards } = this.chosenBelow;
    if (lines < WINDOW_LINES || !isSignificant(rewards!, this.rows) || !this.isNew("fall")) return undefined;
    const { name, beta = 1 } = this.loss;
    return (
      `the chosen answers have been less likely than under the reference for ${lines} logged lines, now by ` +
      `${(-mean / beta).toFixed(2)} nats per answer, whatever the margin says: the failure that DPOP prevents. ` +
      fallAdvice(name.includes("dpop"), name)
    );
  }

  private warningOfStuckLoss(): string | undefined {
    if (this.lossStuck < WINDOW_LINES || !this.isNew("stuck loss")) return undefined;
    return `the loss has stayed at ln 2 = 0.6931 for ${WINDOW_LINES} logged lines: ${STUCK_ADVICE}`;
  }

  private isNew(failure: string): boolean {
    const isNew = !this.said.has(failure);
    this.said.add(failure);
    return isNew;
  }
}

/** Whether a mean over enough pairs is far enough from 0. */
function isSignificant({ mean, std, count }: Sample, rows: number): boolean {
  const pairs = Math.min(count, rows);
  return pairs >= LEAST_PAIRS && Math.abs(mean) > (FALL_ERRORS * std) / Math.sqrt(pairs);
}
