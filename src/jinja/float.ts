/**
 * A Python float. Templates distinguish `20.0` from `20`, which a JavaScript number cannot: a plain integral number is an
 * `int` to a template, so a float with an integral value must be wrapped. Integers beyond 2^53 are bigints.
 */
export class PyFloat {
  constructor(readonly value: number) {}

  /** Makes JavaScript arithmetic work. */
  valueOf(): number {
    return this.value;
  }

  /** For `JSON.stringify`, whose output differs from that of a template's `tojson`. */
  toJSON(): number {
    return this.value;
  }
}
