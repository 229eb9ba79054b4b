/** Random numbers: the seed of all default generators, and separate generators. */
import { binding } from "../native/binding";
import type { Device } from "./device";
import { GeneratorHandle } from "./scope";
import { slotOf, Tensor } from "./tensor";

/** The seed as a signed integer of 64 bits; negative seeds and those from 2^63 are the same bits, as in PyTorch. */
function checkSeed(seed: number | bigint): number | bigint {
  if (typeof seed !== "bigint" ? !Number.isSafeInteger(seed) : seed < -(2n ** 63n) || seed >= 2n ** 64n)
    throw new TypeError(`Expected an integer of 64 bits for 'seed' but received ${String(seed)}`);
  return typeof seed === "bigint" ? BigInt.asIntN(64, seed) : seed;
}

/**
 * A random number generator with its own state.
 *
 * ```ts
 * const generator = new Generator().manualSeed(7);
 * const noise = randn([2, 3], { generator });
 * ```
 */
export class Generator extends GeneratorHandle {
  constructor(device: Device = "cpu") {
    super(binding.createGenerator(device));
  }

  manualSeed(seed: number | bigint): this {
    binding.seedGenerator(this.live(), checkSeed(seed));
    return this;
  }

  /** The whole state, a uint8 tensor. */
  getState(): Tensor<"uint8"> {
    return new Tensor<"uint8">(binding.generatorState(this.live()));
  }

  setState(state: Tensor): this {
    binding.setGeneratorState(this.live(), slotOf(state, "state"));
    return this;
  }
}

/** Seeds the default generators of all devices. There is one per device for the whole process: workers share them. */
export function manualSeed(seed: number | bigint): void {
  binding.manualSeed(checkSeed(seed));
}

/** The state of a device's default generator, a uint8 tensor. */
export function getRngState(device: Device = "cpu"): Tensor<"uint8"> {
  return new Tensor<"uint8">(binding.generatorState(device));
}

export function setRngState(state: Tensor, device: Device = "cpu"): void {
  binding.setGeneratorState(device, slotOf(state, "state"));
}
