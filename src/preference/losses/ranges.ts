/** The number ranges of loss options. Does not load libtorch. */
export interface NumberRange {
  holds(value: number): boolean;
  /** As in `Expected <says> for 'beta'`. */
  says: string;
}

export const positive: NumberRange = { says: "a positive number", holds: (value) => value > 0 };
export const nonNegative: NumberRange = { says: "a number from 0", holds: (value) => value >= 0 };
export const anyNumber: NumberRange = { says: "a finite number", holds: () => true };
export const upToOne: NumberRange = { says: "a number above 0 and at most 1", holds: (value) => value > 0 && value <= 1 };
export const fromZeroToOne: NumberRange = { says: "a number from 0 to 1", holds: (value) => value >= 0 && value <= 1 };
/** A share of flipped labels; at one half, labels carry no information. */
export const flippedShare: NumberRange = { says: "a number from 0 to below 0.5", holds: (value) => value >= 0 && value < 0.5 };
/** Like `flippedShare`, where a share of 0 would make the loss infinite. */
export const positiveShare: NumberRange = {
  says: "a number above 0 and below 0.5 (1e-3 is usual)",
  holds: (value) => value > 0 && value < 0.5,
};
