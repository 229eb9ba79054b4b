/** The nonlinearities of gated feed-forward layers, under the names `config.json` has for them. */
import { type Tensor, ops } from "../torch";

export const activations = {
  silu: (x: Tensor) => ops.silu(x),
  gelu: (x: Tensor) => ops.gelu(x),
  gelu_pytorch_tanh: (x: Tensor) => ops.gelu(x, { approximate: "tanh" }),
} as const;

export type Activation = keyof typeof activations;
