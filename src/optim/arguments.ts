/** The numbers of training that the optimizer and clipping check, with PyTorch's defaults. Loads no libtorch. */
import { number } from "../base/arguments";

const beta = { min: 0, below: 1 };

export const adamwArguments = {
  lr: number(1e-3, "learning rate", { min: 0 }),
  beta1: number(0.9, "decay of AdamW's mean of the gradient", beta),
  beta2: number(0.999, "decay of AdamW's mean of the squared gradient", beta),
  eps: number(1e-8, "added to AdamW's denominator", { min: 0 }),
  weightDecay: number(1e-2, "share of a weight subtracted per step and learning rate", { min: 0 }),
} as const;

export const maxGradNorm = number(1, "maximum gradient norm; 0 for no clipping", { min: 0 });
