/** A second optimizer for tests: stochastic gradient descent with momentum, in plain operations. */
import type { Optimizer, OptimizerGroup, OptimizerStateDict, StateLayout } from "../../src/optim";
import { dispose, keep, noGrad, ops, type Tensor, tidy } from "../../src/torch";

export class Sgd implements Optimizer {
  static readonly layout: StateLayout = { optimizer: "SGD", tensors: { momentumBuffer: "parameter" } };
  readonly layout = Sgd.layout;
  readonly groups: readonly OptimizerGroup[];
  private readonly buffers = new Map<Tensor, Tensor>();

  constructor(
    params: Iterable<Tensor>,
    lr: number,
    private readonly momentum = 0.9,
  ) {
    this.groups = [{ params: [...params], lr }];
  }

  step(lrFactor = 1): void {
    tidy(() =>
      noGrad(() => {
        for (const { params, lr } of this.groups)
          for (const parameter of params)
            if (parameter.grad) {
              const buffer = this.bufferOf(parameter).mul_(this.momentum).add_(parameter.grad);
              parameter.sub_(buffer, { alpha: lr * lrFactor });
            }
      }),
    );
  }

  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null;
  }

  stateDict(): OptimizerStateDict {
    const held = this.parameters().map((parameter) => this.buffers.get(parameter));
    return {
      state: Object.fromEntries(held.flatMap((buffer, i) => (buffer ? [[i, { momentumBuffer: buffer.detach() }]] : []))),
      groups: [{ params: held.map((_, i) => i) }],
    };
  }

  loadStateDict({ state }: OptimizerStateDict): void {
    this.dispose();
    for (const [i, saved] of Object.entries(state)) this.bufferOf(this.parameters()[Number(i)]!).copy_(saved["momentumBuffer"]!);
  }

  dispose(): void {
    dispose([...this.buffers.values()]);
    this.buffers.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  private parameters(): Tensor[] {
    return this.groups.flatMap(({ params }) => params);
  }

  private bufferOf(parameter: Tensor): Tensor {
    const buffer = this.buffers.get(parameter) ?? keep(ops.zerosLike(parameter));
    this.buffers.set(parameter, buffer);
    return buffer;
  }
}
