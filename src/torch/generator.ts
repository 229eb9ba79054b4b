/** Random numbers: the seed of all default generators, and generators of one's own. */
import { binding } from "../native/binding";
import { DisposedTensorError } from "../native/errors";
import { type Device, Tensor } from "./tensor";

const registry = new FinalizationRegistry<number>((slot) => binding.releaseGenerator(slot));

function checkSeed(seed: number | bigint): void {
  const valid = typeof seed === "bigint" ? BigInt.asIntN(64, seed) === seed : Number.isSafeInteger(seed);
  if (!valid) throw new TypeError(`Expected an integer for 'seed' but received ${String(seed)}`);
}

/**
 * A random number generator with its own state.
 *
 * ```ts
 * const generator = new Generator().manualSeed(7);
 * const noise = randn([2, 3], { generator });
 * ```
 */
export class Generator {
  private slot: number;

  constructor(device: Device = "cpu") {
    this.slot = binding.createGenerator(device);
    registry.register(this, this.slot, this);
  }

  /** @internal */
  live(): number {
    if (this.slot === -1) throw new DisposedTensorError("this Generator has been disposed; create a new one");
    return this.slot;
  }

  manualSeed(seed: number | bigint): this {
    checkSeed(seed);
    binding.seedGenerator(this.live(), seed);
    return this;
  }

  /** The whole state, a uint8 tensor. */
  getState(): Tensor<"uint8"> {
    return new Tensor<"uint8">(binding.generatorState(this.live()));
  }

  setState(state: Tensor): this {
    binding.setGeneratorState(this.live(), state.live("setState"));
    return this;
  }

  dispose(): void {
    if (this.slot === -1) return;
    registry.unregister(this);
    binding.releaseGenerator(this.slot);
    this.slot = -1;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Seeds the default generators of all devices. */
export function manualSeed(seed: number | bigint): void {
  checkSeed(seed);
  binding.manualSeed(seed);
}

/** The state of a device's default generator, a uint8 tensor. */
export function getRngState(device: Device = "cpu"): Tensor<"uint8"> {
  return new Tensor<"uint8">(binding.generatorState(device));
}

export function setRngState(state: Tensor, device: Device = "cpu"): void {
  binding.setGeneratorState(device, state.live("setRngState"));
}
