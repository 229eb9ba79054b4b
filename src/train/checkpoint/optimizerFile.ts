/** `optimizer.safetensors` of a checkpoint: AdamW's state, by the number of the parameter. */
import { InputError } from "../../base/errors";
import { SafetensorsFile } from "../../models";
import type { AdamW, AdamWStateDict } from "../../optim";
import { type Tensor, tidy } from "../../torch";

const NAME = /^(0|[1-9]\d*)\.(step|exp_avg|exp_avg_sq)$/;

/** What the file holds of an optimizer. */
export function optimizerTensors(optimizer: AdamW): Record<string, Tensor> {
  const { state } = optimizer.stateDict();
  return Object.fromEntries(
    Object.entries(state).flatMap(([i, { step, expAvg, expAvgSq }]) => [
      [`${i}.step`, step],
      [`${i}.exp_avg`, expAvg],
      [`${i}.exp_avg_sq`, expAvgSq],
    ]),
  );
}

/** The file, its names checked: every parameter in it has a step and two means. */
export class OptimizerFile {
  private readonly file: SafetensorsFile;
  /** The numbers of the parameters. */
  private readonly numbers: readonly string[];

  constructor(path: string) {
    this.file = new SafetensorsFile(path);
    const { entries } = this.file;
    const foreign = [...entries.keys()].find((name) => !NAME.test(name));
    if (foreign !== undefined)
      throw new InputError(
        `Expected the state of AdamW in ${path} but received a tensor '${foreign}'; is it the optimizer.safetensors of this checkpoint?`,
      );
    this.numbers = [...new Set([...entries.keys()].map((name) => name.split(".")[0]!))];
    for (const i of this.numbers)
      for (const name of ["step", "exp_avg", "exp_avg_sq"].map((part) => `${i}.${part}`))
        if (!entries.has(name))
          throw new InputError(
            `Expected '${name}' in ${path} but received no tensor of that name; resume from another checkpoint`,
          );
  }

  /** Checks that no parameter has taken more steps than the run, and that some have taken any. */
  expectSteps(globalStep: number): void {
    const { path } = this.file;
    if (globalStep > 0 && this.numbers.length === 0)
      throw new InputError(
        `Expected the state of AdamW after ${globalStep} steps in ${path} but received no tensors; resume from another checkpoint`,
      );
    for (const name of this.numbers.map((i) => `${i}.step`)) {
      this.expectEntry(name, "float32", []);
      const steps = tidy(() => this.file.read(name).item() as number);
      if (!Number.isSafeInteger(steps) || steps < 0 || steps > globalStep)
        throw new InputError(
          `Expected at most the run's ${globalStep} steps for '${name}' in ${path} but received ${steps}; resume from another checkpoint`,
        );
    }
  }

  /** Checks that it is the state of this optimizer's parameters. */
  expectFits(optimizer: AdamW): void {
    const parameters = optimizer.groups.flatMap(({ params }) => params);
    for (const i of this.numbers) {
      const parameter = parameters[Number(i)];
      if (!parameter)
        throw new InputError(
          `Expected the state of ${parameters.length} parameters in ${this.file.path} but received '${i}.step'; it is of another model`,
        );
      for (const part of ["exp_avg", "exp_avg_sq"]) this.expectEntry(`${i}.${part}`, parameter.dtype, parameter.shape);
    }
  }

  /** The state, in tensors that the caller owns. */
  read(): AdamWStateDict["state"] {
    const read = (i: string, part: string) => this.file.read(`${i}.${part}`);
    return Object.fromEntries(
      this.numbers.map((i) => [i, { step: read(i, "step"), expAvg: read(i, "exp_avg"), expAvgSq: read(i, "exp_avg_sq") }]),
    );
  }

  private expectEntry(name: string, dtype: string, shape: readonly number[]): void {
    const found = this.file.entries.get(name)!;
    if (found.dtype !== dtype || `${found.shape}` !== `${shape}`)
      throw new InputError(
        `Expected ${dtype} [${shape.join(", ")}] for '${name}' in ${this.file.path} but received ${shownEntry(found)}; it is of another model`,
      );
  }
}

/** A tensor of a file, for messages. */
export function shownEntry(entry: { readonly dtype: string; readonly shape: readonly number[] } | undefined): string {
  return entry ? `${entry.dtype} [${entry.shape.join(", ")}]` : "none";
}
