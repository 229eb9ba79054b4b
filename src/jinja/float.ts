/**
 * A Python float. Templates tell `20.0` from `20`, which a JavaScript number cannot: a plain integral number is an
 * `int` to a template, so a float with an integral value must be wrapped. Integers beyond 2^53 are bigints.
 */
export class PyFloat {
  constructor(readonly value: number) {}

  /** As arithmetic in JavaScript takes it. */
  valueOf(): number {
    return this.value;
  }

  /** What `JSON.stringify` writes, which is not what a template's `tojson` writes. */
  toJSON(): number {
    return this.value;
  }
}
