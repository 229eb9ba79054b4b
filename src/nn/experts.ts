/**
 * A sparse mixture of feed-forward layers (Shazeer et al., 2017) as in Mixtral (Jiang et al., 2024): a router gives
 * each token to its best few experts and mixes what they answer. The loss that balances their load is left out.
 */
import { cat, noGrad, type Tensor } from "../torch";
import { type Activation, activations } from "./gatedMlp";
import { Linear, type LinearLayer } from "./linear";
import { Module } from "./module";
import type { LayerOptions } from "./parameter";

export interface ExpertsOptions extends LayerOptions {
  numExperts: number;
  /** How many experts a token goes to. */
  expertsPerToken: number;
  activation?: Activation;
}

/** w2(act(w1(x)) * w3(x)): Mixtral's names for gate, down and up. */
class Expert extends Module {
  readonly w1: LinearLayer;
  readonly w2: LinearLayer;
  readonly w3: LinearLayer;
  readonly activation: Activation;

  constructor(hiddenSize: number, intermediateSize: number, activation: Activation, options: LayerOptions) {
    super();
    this.activation = activation;
    this.w1 = new Linear(hiddenSize, intermediateSize, { ...options, bias: false });
    this.w2 = new Linear(intermediateSize, hiddenSize, { ...options, bias: false });
    this.w3 = new Linear(hiddenSize, intermediateSize, { ...options, bias: false });
  }

  forward(x: Tensor): Tensor {
    return this.w2.forward(activations[this.activation](this.w1.forward(x)).mul(this.w3.forward(x)));
  }
}

export class SparseExperts extends Module {
  /** The router. */
  readonly gate: LinearLayer;
  readonly experts: readonly Expert[];
  readonly expertsPerToken: number;

  constructor(hiddenSize: number, intermediateSize: number, options: ExpertsOptions) {
    super();
    const { numExperts, expertsPerToken, activation = "silu", ...layer } = options;
    this.expertsPerToken = expertsPerToken;
    this.gate = new Linear(hiddenSize, numExperts, { ...layer, bias: false });
    this.experts = Array.from({ length: numExperts }, () => new Expert(hiddenSize, intermediateSize, activation, layer));
  }

  /**
   * `[..., hiddenSize]` to the same. Rows are sorted by expert, so that each runs once over the rows that are its own;
   * how many those are is the one thing read from the device.
   */
  forward(x: Tensor): Tensor {
    const rows = x.reshape([-1, x.size(-1)]); // [tokens, hiddenSize]
    const k = this.expertsPerToken;
    const shares = this.gate.forward(rows).softmax(-1, { dtype: x.dtype === "float64" ? "float64" : "float32" });
    const [best, chosen] = shares.topk(k, -1) as [Tensor, Tensor]; // [tokens, k]
    const weights = best.div(best.sum([-1], true));

    const [order, counts] = this.sorted(chosen.flatten());
    const sent = rows.indexSelect(0, order.floorDivide(k)).split(counts, 0); // per expert, [its rows, hiddenSize]
    const answers = sent.flatMap((own, expert) => (counts[expert]! > 0 ? [this.experts[expert]!.forward(own)] : []));
    const restored = cat(answers, 0).indexSelect(0, order.argsort()); // [tokens * k, hiddenSize]
    const mixed = restored
      .view([-1, k, x.size(-1)])
      .mul(weights.unsqueeze(-1))
      .sum([1]);
    return mixed.to({ dtype: x.dtype }).view(x.shape);
  }

  /** The order that puts the rows of each expert together, and how many rows each has. */
  private sorted(chosen: Tensor): [order: Tensor, counts: number[]] {
    const counts = noGrad(() => chosen.bincount(null, this.experts.length));
    return [chosen.argsort({ stable: true }), Array.from(counts.toArray() as BigInt64Array, Number)];
  }
}
