/** The failures of preference training that a run warns of and its report looks for: how to tell, and what to do. */

/** Logged lines that show the state of a run: a failure must last that long, and a report averages at most so many. */
export const WINDOW_LINES = 5;

/** Whether the loss is what it is for a model that cannot tell the answers of a pair apart, ln 2. */
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
