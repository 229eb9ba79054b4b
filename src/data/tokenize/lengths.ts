/** How long a tokenised row may be and which end of a longer one is kept: the options, with TRL's defaults. */
import { choice, fits, integer, nullable } from "../../base/arguments";
import { expected } from "../../base/errors";
import { quotedChoices, received } from "../../base/values";

const truncationModes = ["keep_start", "keep_end"] as const;

/** What to do with prompt and answer when they are too long together: cut off their end, or their beginning. */
export type TruncationMode = (typeof truncationModes)[number];

export const rowLength = integer(1024, "maximum number of tokens of prompt and answer together", { min: 2 });

/** The lengths of rows, which apply to rows of text only. */
export const lengthArguments = {
  maxLength: nullable({ ...rowLength, help: `${rowLength.help}; null for no limit` }),
  truncationMode: choice(
    truncationModes,
    "keep_start",
    "which end of a longer row to keep; truncated rows are counted and listed",
  ),
} as const;

/**
 * Throws unless the options fit, where they are given.
 *
 * @throws RangeError
 */
export function expectLengths({ maxLength, truncationMode }: { maxLength?: unknown; truncationMode?: unknown }): void {
  const { maxLength: length, truncationMode: mode } = lengthArguments;
  if (maxLength !== undefined && !fits(maxLength, length))
    throw new RangeError(expected(`${length.expected},`, received(maxLength), { name: "maxLength" }));
  if (truncationMode !== undefined && !fits(truncationMode, mode))
    throw new RangeError(expected(quotedChoices(truncationModes), received(truncationMode), { name: "truncationMode" }));
}
