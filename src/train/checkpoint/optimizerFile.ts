/** `optimizer.safetensors` of a checkpoint: the optimizer's state, by parameter number. */

import { InputError } from "../../base/errors";
import { snakeCase } from "../../base/names";
import { SafetensorsFile } from "../../models/formats/safetensors/file";
import type { Optimizer, OptimizerStateDict, StateKind, StateLayout } from "../../optim/optimizer";
import { tidy } from "../../torch/scope";
import type { Tensor } from "../../torch/tensor";

const NAME = /^(0|[1-9]\d*)\.([a-z_]+)$/;

/** A part of a parameter's state by its name in the file: `0.exp_avg_sq`. */
function fileName(number: string | number, part: string): string {
  return `${number}.${snakeCase(part)}`;
}

/** The tensors of the file for an optimizer. */
export function optimizerTensors(optimizer: Optimizer): Record<string, Tensor> {
  const { state } = optimizer.stateDict();
  return Object.fromEntries(
    Object.entries(state).flatMap(([i, parts]) => Object.entries(parts).map(([part, tensor]) => [fileName(i, part), tensor])),
  );
}

/** The file, its names checked: every parameter in it has all that the optimizer keeps for one. */
export class OptimizerFile {
  private readonly file: SafetensorsFile;
  /** The numbers of the parameters. */
  private readonly numbers: readonly string[];

  constructor(
    path: string,
    private readonly layout: StateLayout,
  ) {
    this.file = new SafetensorsFile(path);
    const { entries } = this.file;
    const parts = Object.keys(layout.tensors);
    const known = new Set(parts.map(snakeCase));
    const foreign = [...entries.keys()].find((name) => !known.has(NAME.exec(name)?.[2] ?? ""));
    if (foreign !== undefined)
      throw new InputError(
        `Expected the state of ${layout.optimizer} in ${path} but received a tensor '${foreign}'; is it the optimizer.safetensors of this checkpoint?`,
      );
    this.numbers = [...new Set([...entries.keys()].map((name) => name.split(".")[0]!))];
    for (const i of this.numbers)
      for (const name of parts.map((part) => fileName(i, part)))
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
        `Expected the state of ${this.layout.optimizer} after ${globalStep} steps in ${path} but received no tensors; resume from another checkpoint`,
      );
    for (const name of this.numbers.flatMap((i) => this.partsOf("steps").map((part) => fileName(i, part)))) {
      this.expectEntry(name, "float32", []);
      const steps = tidy(() => this.file.read(name).item() as number);
      if (!Number.isSafeInteger(steps) || steps < 0 || steps > globalStep)
        throw new InputError(
          `Expected at most the run's ${globalStep} steps for '${name}' in ${path} but received ${steps}; resume from another checkpoint`,
        );
    }
  }

  /** Checks that it is the state of this optimizer's parameters. */
  expectFits(optimizer: Optimizer): void {
    const parameters = optimizer.groups.flatMap(({ params }) => params);
    for (const i of this.numbers) {
      const parameter = parameters[Number(i)];
      if (!parameter)
        throw new InputError(
          `Expected the state of ${parameters.length} parameters in ${this.file.path} but received '${fileName(i, Object.keys(this.layout.tensors)[0]!)}'; it is of another model`,
        );
      for (const part of this.partsOf("parameter")) this.expectEntry(fileName(i, part), parameter.dtype, parameter.shape);
    }
  }

  /** The state, in tensors that the caller owns. */
  read(): OptimizerStateDict["state"] {
    const parts = Object.keys(this.layout.tensors);
    const read = (i: string) => Object.fromEntries(parts.map((part) => [part, this.file.read(fileName(i, part))]));
    return Object.fromEntries(this.numbers.map((i) => [i, read(i)]));
  }

  private partsOf(kind: StateKind): string[] {
    return Object.entries(this.layout.tensors).flatMap(([part, each]) => (each === kind ? [part] : []));
  }

  private expectEntry(name: string, dtype: string, shape: readonly number[]): void {
    const found = this.file.entries.get(name)!;
    if (found.dtype !== dtype || `${found.shape}` !== `${shape}`)
      throw new InputError(
        `Expected ${dtype} [${shape.join(", ")}] for '${name}' in ${this.file.path} but received ${shownEntry(found)}; it is of another model`,
      );
  }
}

/** Describes a tensor of a file, for messages. */
export function shownEntry(entry: { readonly dtype: string; readonly shape: readonly number[] } | undefined): string {
  return entry ? `${entry.dtype} [${entry.shape.join(", ")}]` : "none";
}
