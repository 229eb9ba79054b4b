/** Training failures that a run warns about and its report looks for: how to detect each, and what to do. */

/** Logged lines for which a failure must persist, and the most that a report averages. */
export const WINDOW_LINES = 5;

/** Whether the loss is at ln 2, its value when the policy does not separate the two answers. */
export function isStuck(loss: number): boolean {
  return Math.abs(loss - Math.LN2) < 1e-4;
}

export const STUCK_ADVICE =
  "nothing is being learnt. Raise learning_rate, and check that the answers differ (smaug data inspect) and that something " +
  "is trained (lora_target_modules)";

/**
 * What to do when the chosen answers become less likely.
 *
 * @param loss name of the loss that trains, if known
 */
export function fallAdvice(usesDpop: boolean, loss?: string): string {
  const instead = loss === undefined ? "" : ` instead of ${loss}`;
  return `${usesDpop ? "Raise dpop_lambda" : `Train with loss_type dpop${instead}`}, or lower learning_rate`;
}
